"""Labels frames with stock ONNX Runtime and numpy: segment.py MODEL.onnx FRAMES LABELS [CONFIDENCE]."""

import sys

import numpy as np
import onnxruntime

model, frames_file, *answer_files = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
shape = session.get_inputs()[0].shape  # [1, H, W, 3]: the file itself says what a frame is
names = ["labels", "confidence"][: len(answer_files)]
frames = np.fromfile(frames_file, np.uint8).reshape(-1, *shape)
answers = [session.run(names, {"image": frame}) for frame in frames]
for path, maps in zip(answer_files, zip(*answers, strict=True), strict=True):
    np.concatenate(maps).tofile(path)  # uint8 [frames, H, W]
