"""Measures a model file: latency, accuracy, the machine it ran on, and the record of it. Must not import torch."""
