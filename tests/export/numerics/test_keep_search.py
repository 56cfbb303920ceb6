import json
from collections.abc import Callable, Iterable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.numerics.emulation import open_emulation
from export.numerics.half import to_half
from export.numerics.keep_search import find_kept_nodes
from export.numerics.ranges import measure_ranges
from export.numerics.session import open_unoptimised
from runtime.errors import DataError, GateError

Image = NDArray[np.uint8]
Planted = Callable[[onnx.ModelProto, list[tuple[str, str]], int], onnx.ModelProto]
NodeOf = Callable[[onnx.ModelProto, str], str]
STRICT = 0.999  # all half gives 0.9997
PAIRS = [("conv3", "conv4"), ("conv1", "conv2"), ("conv6", "conv7")]


def agreeing(model: onnx.ModelProto, images: list[Image], least: float) -> Callable[[Iterable[Image]], bool]:
    """A verdict: at least this share of the float32 graph's labels."""
    session, _ = open_unoptimised(model)
    expected = [session.run(["labels"], {"image": image})[0] for image in images]

    def passes(labels: Iterable[Image]) -> bool:
        return float(np.mean([(a == b).mean() for a, b in zip(expected, labels, strict=True)])) >= least

    return passes


def test_find_kept_nodes_clean_network_keeps_none(small_graph: onnx.ModelProto, images: list[Image]) -> None:
    result = find_kept_nodes(small_graph, images, agreeing(small_graph, images, 0.995))
    assert (result.kept, result.forced, result.keep_float, result.trials) == ((), (), frozenset(), 1)
    assert (result.cost.casts_added, result.cost.bytes_added) == (0, 0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_find_kept_nodes_planted_overflow_returns_those_layers(
    small_graph: onnx.ModelProto, planted: Planted, node_of: NodeOf, images: list[Image], count: int
) -> None:
    model = planted(small_graph, PAIRS[:count], 15)
    passes = agreeing(small_graph, images, 0.995)
    assert not passes(labels_of(to_half(model), images))
    result = find_kept_nodes(model, images, passes)
    assert set(result.kept) == {node_of(model, layer) for layer, _ in PAIRS[:count]}
    assert {node_of(model, reader) for _, reader in PAIRS[:count]} <= set(result.forced)
    assert passes(labels_of(to_half(model, result.keep_float), images))
    assert result.cost.float_nodes == len(result.kept) + len(result.forced)
    assert all("half holds 65504" in reason for reason in result.reasons)
    json.dumps(result.report())


def labels_of(half: onnx.ModelProto, images: list[Image]) -> list[Image]:
    session = open_emulation(half)
    return [session.run(["labels"], {"image": image})[0] for image in images]


@pytest.mark.parametrize("count", [1, 2])
def test_find_kept_nodes_planted_underflow_returns_those_layers(
    small_graph: onnx.ModelProto, planted: Planted, node_of: NodeOf, images: list[Image], count: int
) -> None:
    # weights and values 2**-16 times what they were lose most of their bits, and none overflows
    model = planted(small_graph, PAIRS[:count], -16)
    passes = agreeing(small_graph, images, STRICT)
    assert not passes(labels_of(to_half(model), images))
    result = find_kept_nodes(model, images, passes)
    assert set(result.kept) == {node_of(model, layer) for layer, _ in PAIRS[:count]}
    assert passes(labels_of(to_half(model, result.keep_float), images))
    assert result.reasons == ("in half it costs too many labels",) * count


def test_find_kept_nodes_overflow_and_underflow_together(
    small_graph: onnx.ModelProto, planted: Planted, node_of: NodeOf, images: list[Image]
) -> None:
    model = planted(planted(small_graph, PAIRS[:1], 15), PAIRS[1:2], -16)
    result = find_kept_nodes(model, images, agreeing(small_graph, images, STRICT))
    assert set(result.kept) == {node_of(model, "conv3"), node_of(model, "conv1")}


def test_find_kept_nodes_weight_beyond_half_is_kept(
    small_graph: onnx.ModelProto, planted: Planted, node_of: NodeOf, images: list[Image]
) -> None:
    model = planted(small_graph, [("conv3", "conv4")], -18)  # conv4's weights grow past 65504, conv3's lose bits
    result = find_kept_nodes(model, images, agreeing(small_graph, images, 0.995))
    assert set(result.kept) == {node_of(model, "conv3"), node_of(model, "conv4")}
    assert "weight network.conv4.weight is beyond what half holds" in result.reasons


def test_find_kept_nodes_overflow_that_does_no_harm_is_taken_back(
    small_graph: onnx.ModelProto, planted: Planted, node_of: NodeOf, images: list[Image]
) -> None:
    # of conv3 only what is negative overflows, which its Relu makes zero; conv1 has to be kept
    model = planted(small_graph, PAIRS[1:2], 15)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "network.conv3.bias")
    values = numpy_helper.to_array(bias).copy()
    values[0] = -60000.0
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "network.conv3.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0] = -6000.0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    ranges = measure_ranges(model, images)
    assert {node_of(model, "conv1"), node_of(model, "conv3")} <= {t.node for t in ranges.tensors if t.overflows}
    result = find_kept_nodes(model, images, agreeing(model, images, 0.99), ranges)
    assert result.kept == (node_of(model, "conv1"),)


def test_find_kept_nodes_verdict_that_float_fails_is_refused(small_graph: onnx.ModelProto, images: list[Image]) -> None:
    with pytest.raises(GateError, match="expected the float32 network to pass the gate"):
        find_kept_nodes(small_graph, images[:1], lambda _: False)


def test_find_kept_nodes_without_a_frame_is_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(DataError, match="expected one frame or more, got none"):
        find_kept_nodes(small_graph, [], lambda _: True)


def test_find_kept_nodes_sum_that_stays_too_large_follows_and_is_not_counted() -> None:
    def multiply(source: str, factor: str, result: str) -> onnx.NodeProto:
        return helper.make_node("Mul", [source, factor], [result], result)

    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], "front", to=TensorProto.FLOAT),
        helper.make_node("Abs", ["numbers"], ["normalised"], "abs"),
        multiply("normalised", "large", "enlarged"),
        helper.make_node("Add", ["enlarged", "normalised"], ["sum"], "sum"),
        multiply("sum", "small", "logits"),
        helper.make_node("ArgMax", ["logits"], ["winner"], "winner", axis=1, keepdims=0),
        helper.make_node("Cast", ["winner"], ["labels"], "labels", to=TensorProto.UINT8),
    ]
    factors = {"large": [20000.0, 18000.0, 21000.0], "small": [1e-4, 1.1e-4, 1.05e-4]}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, [1, 8, 8])],
        [numpy_helper.from_array(np.array(f, np.float32).reshape(1, 3, 1, 1), name) for name, f in factors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    frames = [np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8)]
    result = find_kept_nodes(model, frames, agreeing(model, frames, 0.98))
    assert (result.kept, result.forced) == (("enlarged",), ("sum", "logits"))
    assert result.keep_float == {"enlarged", "sum"}
