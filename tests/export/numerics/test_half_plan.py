from collections.abc import Callable

import onnx
import pytest
from onnx import TensorProto, helper

from export.numerics.half_plan import half_inputs, half_network, plan
from runtime.errors import ModelFileError, UsageError

HandMade = Callable[[list[onnx.NodeProto]], onnx.ModelProto]


def test_half_network_weights_are_the_float32_ones(small_graph: onnx.ModelProto) -> None:
    network = half_network(small_graph)
    assert network.never_half == frozenset()
    float32 = {t.name for t in small_graph.graph.initializer if t.data_type == TensorProto.FLOAT}
    assert network.weights.keys() == float32 & network.constants.keys()
    assert {f"network.conv{i}.bias" for i in range(1, 8)} < network.weights.keys()


@pytest.mark.parametrize("name", ["", "relu"])
def test_half_network_node_without_a_name_of_its_own_is_refused(name: str, hand_made: HandMade) -> None:
    nodes = [
        helper.make_node("Relu", ["normalised"], ["a"], "relu"),
        helper.make_node("Abs", ["a"], ["logits"], name),
    ]
    with pytest.raises(ModelFileError, match=f"a name of its own, got '{name}' for a Abs"):
        half_network(hand_made(nodes))


def test_half_network_constant_node_is_refused(hand_made: HandMade) -> None:
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        helper.make_node("Constant", [], ["c"], "constant", value=one),
        helper.make_node("Add", ["normalised", "c"], ["logits"], "add"),
    ]
    with pytest.raises(ModelFileError, match=r"got node constant \(Constant\)"):
        half_network(hand_made(nodes))


def test_half_network_knows_what_has_no_half(hand_made: HandMade) -> None:
    # at opset 18 IsInf takes float32 and float64 only
    nodes = [
        helper.make_node("IsInf", ["normalised"], ["a"], "isinf"),
        helper.make_node("Cast", ["a"], ["b"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Add", ["b", "normalised"], ["logits"], "add"),
    ]
    network = half_network(hand_made(nodes))
    assert network.never_half == {"isinf"}
    assert plan(network, frozenset()).forced == ("isinf",)


def test_half_inputs_leaves_roi_and_scales_of_resize_alone() -> None:
    node = helper.make_node("Resize", ["x", "roi", "scales"], ["y"], "resize")
    assert list(half_inputs(node, 18)) == [(0, "x")]
    assert list(half_inputs(helper.make_node("Conv", ["x", "w", "b"], ["y"]), 18)) == [(0, "x"), (1, "w"), (2, "b")]
    assert list(half_inputs(helper.make_node("Concat", ["x", "y", "z"], ["c"]), 18)) == [(0, "x"), (1, "y"), (2, "z")]
    assert list(half_inputs(helper.make_node("Reshape", ["x", "shape"], ["y"]), 18)) == [(0, "x")]


def test_plan_readers_follow_and_a_passing_node_hands_it_on(
    small_graph: onnx.ModelProto, node_of: Callable[[onnx.ModelProto, str], str]
) -> None:
    network = half_network(small_graph)
    conv2 = node_of(small_graph, "conv2")
    chosen = plan(network, {conv2})
    assert chosen.kept == (conv2,)
    kinds = {node.name: node.op_type for node in network.nodes}
    # its Relu, the pool and the concat behind that, and the two convolutions that read those
    assert [kinds[name] for name in chosen.forced] == ["Relu", "MaxPool", "Conv", "Concat", "Conv"]
    assert {node_of(small_graph, "conv3"), node_of(small_graph, "conv6")} < chosen.float_nodes


def test_plan_stops_at_clip(small_graph: onnx.ModelProto, node_of: Callable[[onnx.ModelProto, str], str]) -> None:
    network = half_network(small_graph)
    chosen = plan(network, {node_of(small_graph, "conv5")})
    kinds = {node.name: node.op_type for node in network.nodes}
    assert [kinds[name] for name in chosen.forced] == ["Clip"]


def test_plan_unknown_node_is_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="got 'node_of_another_graph'"):
        plan(half_network(small_graph), {"node_of_another_graph"})
