"""The exported graph: two ends in torch (front.py, back.py) around the network (deploy.py), then ONNX (trace.py)."""
