"""A sealed file that ONNX Runtime opens in milliseconds: a convolution to 16 channels, argmax, and golden frames."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.golden import GOLDEN_KEY, pack_golden
from runtime.seal import seal
from runtime.spec import SPEC_KEY, ModelSpec

CHANNELS = 16  # of float32: with 64 bytes a pixel by far the largest value in the graph


def write_tiny(path: Path, height_px: int = 64, width_px: int = 96, *, invalid: bool = False) -> Path:
    """Writes it; `invalid` makes every label 255, the golden frames' too."""
    weight = np.random.default_rng(0).normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32)
    last = helper.make_node("Cast", ["best"], ["labels"], "to_uint8", to=TensorProto.UINT8)
    constants = {"weight": weight}
    if invalid:
        constants["offset"] = np.int64(255)
        last = helper.make_node("Cast", ["none"], ["labels"], "to_uint8", to=TensorProto.UINT8)
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], "to_float", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["x"], ["nchw"], "nchw", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "weight"], ["logits"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("ArgMax", ["logits"], ["best"], "argmax", axis=1, keepdims=0),
        *([helper.make_node("Max", ["best", "offset"], ["none"], "none")] if invalid else []),
        last,
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height_px, width_px, 3])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, [1, height_px, width_px])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = _session(model)
    frames = [np.full((height_px, width_px, 3), level, np.uint8) for level in (40, 200)]
    labels = [session.run(None, {"image": frame[None]})[0][0] for frame in frames]
    spec = ModelSpec(
        label_space="own",
        classes=tuple(f"class {index}" for index in range(CHANNELS)),
        palette=((0, 0, 0),) * CHANNELS,
        height_px=height_px,
        width_px=width_px,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        precision="fp32",
        training={"config": {"network": {"name": "tiny"}}},
        producer={},
        golden={"frames": 2, "source": "grey", "agreement": {"*": 1.0}},
    )
    helper.set_model_props(model, {SPEC_KEY: spec.to_json(), GOLDEN_KEY: pack_golden(frames, labels)})
    path.write_bytes(seal(model.SerializeToString()))
    return path


def _session(model: onnx.ModelProto):
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
