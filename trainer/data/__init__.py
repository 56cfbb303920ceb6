"""Reads labelled data sets with numpy and Pillow alone, so that evaluation works on a target without torch.

The way of a frame: `source` (bytes) -> `images` (pixels) -> `pairs` (photo and mask) -> `label_space` (labels) ->
`dataset` (frames by split and index) -> `augment` (the network's size). `synthetic` writes data sets of its own.
"""
