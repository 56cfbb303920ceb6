"""Reads labelled data sets with numpy and Pillow alone, so that evaluation works on a target without torch.

The way of a frame: `source` (bytes) -> `recognise` (which layout) -> `images`, `masks` (pixels) -> `colours` or
`exact_labels` (labels, by a `label_space`) -> `dataset` (frames by split and index) -> `augment` (the network's size).
`synthetic` writes data sets of its own.
"""
