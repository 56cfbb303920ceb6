"""Nodes in half precision, against the types that the onnx package infers."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.engine.precision import half_nodes
from runtime.onnx_file import read_structure

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


def inferred(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes, but for casts, that take or give a tensor of float16."""
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type != "Cast"]
    return [node.name for node in nodes if any(types[name] == HALF for name in (*node.input, *node.output) if name)]


def network(weight_type: type, *, exit_early: bool = False) -> onnx.ModelProto:
    """image -> float32 -> half, where most operators of an export are, with some of other answers -> labels."""
    weight = np.full((2, 1, 1, 1), 0.5, weight_type)
    constants = {
        "weight": weight,
        "float_weight": np.ones((2, 2, 1, 1), np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "pads": np.zeros(8, np.int64),
        "step": np.asarray(0.1, weight_type),
        "zero": np.uint8(0),
        "small": np.int8(0),
        "axes": np.array([1], np.int64),
        "limit": np.asarray(9, weight_type),
    }
    to = helper.np_dtype_to_tensor_dtype(np.dtype(weight_type))
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["x32"], "in", to=FLOAT),
        node("Neg", ["x32"], ["neg"], "neg"),
        node("Cast", ["neg"], ["x"], "down", to=to),
        node("Conv", ["x", "weight"], ["a"], "conv"),
        node("Relu", ["a"], ["b"], "relu"),
        node("Resize", ["b", "", "scales"], ["large"], "resize"),
        node("MaxPool", ["large"], ["c"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Pad", ["c", "pads"], ["padded"], "pad"),
        node("QuantizeLinear", ["padded", "step", "zero"], ["q"], "quantise"),
        node("DequantizeLinear", ["q", "step", "zero"], ["d"], "dequantise"),
        node("QuantizeLinear", ["d", "step", "small"], ["signed"], "quantise signed"),
        node("Shape", ["d"], ["shape"], "shape"),
        node("Reshape", ["d", "shape"], ["r"], "reshape"),
        node("LessOrEqual", ["r", "limit"], ["fine"], "check"),
        node("Where", ["fine", "r", "limit"], ["kept"], "where"),
        # beside values in half, and not in half themselves: a slip would count them
        node("Not", ["fine"], ["not_fine"], "not"),
        node("Neg", ["pads"], ["cuts"], "negative pads"),
        node("Neg", ["scales"], ["negative"], "negative scales"),
        node("Neg", ["small"], ["minus"], "negative zero point"),
        node("Cast", ["kept"], ["y32"], "up", to=FLOAT),
        node("Conv", ["y32", "float_weight"], ["logits"], "head"),
        node("ReduceMax", ["logits", "axes"], ["best"], "best", keepdims=0),
        node("Cast", ["best"], ["labels"], "out", to=TensorProto.UINT8),
    ]
    if exit_early:
        nodes, constants = [*nodes[:2], nodes[-1]], {}
        nodes[-1].input[0] = "neg"
    graph = helper.make_graph(
        nodes,
        "halves",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: network(np.float16), 12),
        (lambda: network(np.float32), 0),
        (lambda: network(np.float32, exit_early=True), 0),
    ],
    ids=["half", "float", "no weights"],
)
def test_half_nodes_are_those_that_onnx_infers(make: Callable[[], onnx.ModelProto], count: int) -> None:
    model = make()
    expected = inferred(model)
    assert len(expected) == count
    assert half_nodes(read_structure(model.SerializeToString(), "model")) == count
