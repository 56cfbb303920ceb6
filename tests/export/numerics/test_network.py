from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.numerics.network import find_network, require_finite_weights
from runtime.errors import ModelFileError

HandMade = Callable[[list[onnx.NodeProto]], onnx.ModelProto]


def changed(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def test_find_network_is_what_lies_between_the_two_ends(small_graph: onnx.ModelProto) -> None:
    network = find_network(small_graph)
    kinds = [node.op_type for node in network.nodes]
    encoder = ["Conv", "Relu", "Conv", "Relu", "MaxPool", "Conv", "Relu", "Conv", "Relu", "Conv", "Clip"]
    assert kinds == [*encoder, "ConvTranspose", "Concat", "Conv", "Relu", "Conv", "Relu", "Conv", "Resize"]
    values = list(network.floats)
    assert (values[0], values[-1]) == ("normalised", "logits")
    assert network.floats["normalised"] == (1, 3, 32, 48)
    assert {name.split(".")[-1] for name in network.constants if name.startswith("network.")} == {"weight", "bias"}


@pytest.mark.parametrize("value", ["normalised", "logits"])
def test_find_network_without_an_end_is_refused(small_graph: onnx.ModelProto, value: str) -> None:
    model = changed(small_graph)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["another" if name == value else name for name in names]
    with pytest.raises(ModelFileError, match=f"a node that gives '{value}', found none"):
        find_network(model)


def test_find_network_half_graph_is_refused(hand_made: HandMade) -> None:
    model = hand_made([helper.make_node("Relu", ["normalised"], ["logits"], "relu")])
    model.graph.node[0].attribute[0].i = TensorProto.FLOAT16
    with pytest.raises(ModelFileError, match="expected 'normalised' to be float32, got ONNX element type 10"):
        find_network(model)


def test_find_network_path_into_the_network_is_refused(hand_made: HandMade) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["around"], "second", to=TensorProto.FLOAT),
        helper.make_node("Add", ["normalised", "around"], ["logits"], "add"),
    ]
    model = hand_made(nodes)
    with pytest.raises(ModelFileError, match="node second reads 'image'"):
        find_network(model)


def test_find_network_of_a_trace_that_reads_past_its_input_is_refused(small_graph: onnx.ModelProto) -> None:
    broken = changed(small_graph)
    source = next(node for node in broken.graph.node if "normalised" in node.output).input[0]
    index = next(i for i, node in enumerate(broken.graph.node) if "normalised" in node.input)
    node = broken.graph.node[index]
    node.input[0] = "mixed"
    mixed = helper.make_node("Max", ["normalised", source], ["mixed"])
    broken.graph.node.insert(index, mixed)
    with pytest.raises(ModelFileError, match=f"node Max reads '{source}'"):
        find_network(broken)


def test_find_network_path_out_of_the_network_is_refused(hand_made: HandMade) -> None:
    nodes = [
        helper.make_node("Relu", ["normalised"], ["a"], "relu"),
        helper.make_node("Abs", ["a"], ["logits"], "abs"),
        helper.make_node("Neg", ["a"], ["b"], "outside"),
    ]
    with pytest.raises(ModelFileError, match="node outside reads 'a'"):
        find_network(hand_made(nodes))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_require_finite_weights_names_the_tensor(small_graph: onnx.ModelProto, value: float) -> None:
    require_finite_weights(small_graph)
    broken = changed(small_graph)
    tensor = next(t for t in broken.graph.initializer if t.name.endswith("conv3.bias"))
    values = numpy_helper.to_array(tensor).copy()
    values[5] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(ModelFileError, match=rf"{value} in 'network\.conv3\.bias'"):
        require_finite_weights(broken)
