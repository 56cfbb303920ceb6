"""ONNX Runtime behind one wall: sessions, providers, what they miss, and buffers bound to them."""
