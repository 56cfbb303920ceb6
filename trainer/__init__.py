"""Fits a segmentation network to a labelled data set: data, networks, losses, the training loop, checkpoints.

Importing this package imports nothing heavy; `trainer.data` stays free of torch for target computers.
"""
