"""Labels frames with OpenVINO: openvino_labels.py PRECISION MODEL FRAMES LABELS; PRECISION is f32, or default."""

import sys

import numpy as np
import openvino

precision, model, frames_file, labels_file = sys.argv[1:]
settings = {} if precision == "default" else {"INFERENCE_PRECISION_HINT": precision}
compiled = openvino.Core().compile_model(model, "CPU", settings)
frames = np.fromfile(frames_file, np.uint8).reshape(-1, *compiled.input("image").shape)
np.stack([compiled({"image": frame})["labels"] for frame in frames]).tofile(labels_file)
