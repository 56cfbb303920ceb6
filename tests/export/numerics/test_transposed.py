import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.numerics.network_model import with_shapes
from export.numerics.transposed import without_transposed_convolutions


def graph(weight: np.ndarray, bias: np.ndarray | None, **attributes: object) -> onnx.ModelProto:
    """One transposed convolution of a [2,3,5,4] input."""
    tensors = {"w": weight} | ({} if bias is None else {"b": bias})
    node = helper.make_node("ConvTranspose", ["normalised", *tensors], ["logits"], "up", **attributes)
    made = helper.make_graph(
        [node],
        "network",
        [helper.make_tensor_value_info("normalised", TensorProto.FLOAT, [2, 3, 5, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return with_shapes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def run(model: onnx.ModelProto) -> np.ndarray:
    image = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"normalised": image})[0]


def weights(rows: int, columns: int, out: int = 6) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, out, rows, columns)).astype(np.float32)


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (4, 4), (3, 2)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_without_transposed_convolutions_computes_the_same(rows: int, columns: int, with_bias: bool) -> None:
    bias = np.arange(6, dtype=np.float32) if with_bias else None
    model = graph(weights(rows, columns), bias, strides=[rows, columns])
    rewritten = without_transposed_convolutions(model)
    onnx.checker.check_model(rewritten, full_check=True)
    assert [node.op_type for node in rewritten.graph.node].count("Conv") == 1
    assert "ConvTranspose" not in {node.op_type for node in rewritten.graph.node}
    assert "w" not in {tensor.name for tensor in rewritten.graph.initializer}
    np.testing.assert_allclose(run(rewritten), run(model), atol=1e-5)  # ONNX Runtime's own ConvTranspose


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [1, 1]},
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"strides": [2, 2], "output_padding": [1, 1]},
        {"strides": [2, 2], "dilations": [2, 2]},
        {"strides": [2, 2], "output_shape": [10, 8]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ],
)
def test_without_transposed_convolutions_other_kinds_are_left(attributes: dict[str, object]) -> None:
    model = graph(weights(2, 2), None, **attributes)
    assert without_transposed_convolutions(model).graph.node == model.graph.node


def test_without_transposed_convolutions_groups_are_left() -> None:
    model = graph(weights(2, 2, out=2), None, strides=[2, 2], group=3)
    assert without_transposed_convolutions(model).graph.node == model.graph.node
