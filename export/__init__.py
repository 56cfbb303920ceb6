"""Turns a run's checkpoint into one self-contained ONNX file and proves that the file agrees with the network."""
