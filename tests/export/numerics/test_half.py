import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export.numerics.emulation import emulate
from export.numerics.half import keep_cost, small_weights, to_half, weights_beyond_half
from export.numerics.half_plan import half_network, plan
from export.numerics.session import with_output
from runtime.errors import ModelFileError, UsageError
from trainer.networks.catalogue import build_network, network_from_dict

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
NodeOf = Callable[[onnx.ModelProto, str], str]


def casts(model: onnx.ModelProto) -> list[tuple[str, str, int]]:
    """(input, output, type) of each cast between the two float types."""
    found = [(n.input[0], n.output[0], n.attribute[0].i) for n in model.graph.node if n.op_type == "Cast"]
    types = element_types(model)
    return [entry for entry in found if {types[entry[0]], entry[2]} == {FLOAT, HALF}]


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = {info.name: info.type.tensor_type.elem_type for info in (*graph.value_info, *graph.input, *graph.output)}
    return values | {tensor.name: tensor.data_type for tensor in graph.initializer}


def with_weight(model: onnx.ModelProto, name: str, index: int, value: float) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tensor = next(tensor for tensor in result.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[index] = value
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    return result


def check_clean(model: onnx.ModelProto) -> None:
    """Opens; no cast pair, no dead node or weight, no value cast twice."""
    onnx.checker.check_model(model, full_check=True)
    onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = casts(model)
    sources, results = ({entry[i] for entry in found} for i in range(2))
    assert not sources & results
    assert len(sources) == len(found)
    read = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    assert all(output in read for node in model.graph.node for output in node.output)
    assert all(tensor.name in read for tensor in model.graph.initializer)
    assert len({tensor.name for tensor in model.graph.initializer}) == len(model.graph.initializer)


def test_to_half_network_is_half_and_the_ends_are_not(small_graph: onnx.ModelProto) -> None:
    before = small_graph.SerializeToString()
    half = to_half(small_graph)
    assert small_graph.SerializeToString() == before
    check_clean(half)
    types = element_types(half)
    inside = {output for node in half_network(small_graph).nodes for output in node.output} - {"logits"}
    assert {types[value] for value in inside} == {HALF}
    assert (types["normalised"], types["logits"], types["labels"]) == (FLOAT, FLOAT, TensorProto.UINT8)
    assert casts(half) == [("normalised", "normalised.float16", HALF), ("logits.float16", "logits", FLOAT)]
    assert {types[name] for name in types if name.startswith("network.")} == {HALF}
    assert (half.ir_version, half.opset_import) == (small_graph.ir_version, small_graph.opset_import)
    assert half.graph.input == small_graph.graph.input
    assert half.graph.output == small_graph.graph.output


def test_to_half_scales_of_resize_stay_float(small_graph: onnx.ModelProto) -> None:
    half = to_half(small_graph)
    resize = next(node for node in half.graph.node if node.op_type == "Resize")
    assert element_types(half)[resize.input[2]] == FLOAT


def test_to_half_weights_are_rounded_as_numpy_does(small_graph: onnx.ModelProto) -> None:
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in to_half(small_graph).graph.initializer}
    for tensor in small_graph.graph.initializer:
        if tensor.name.startswith("network."):
            np.testing.assert_array_equal(weights[tensor.name], numpy_helper.to_array(tensor).astype(np.float16))


@pytest.fixture
def masked() -> onnx.ModelProto:
    """Two ReLU6 with shared bounds, the second's result where the first's is over 1; shapes of all values noted."""
    nodes = [
        helper.make_node("Cast", ["image"], ["normalised"], "front", to=FLOAT),
        helper.make_node("Clip", ["normalised", "low", "high"], ["a"], "clip1"),
        helper.make_node("Clip", ["a", "low", "high"], ["b"], "clip2"),
        helper.make_node("Greater", ["a", "one"], ["over"], "greater"),
        helper.make_node("Cast", ["over"], ["mask"], "mask", to=FLOAT),
        helper.make_node("Mul", ["b", "mask"], ["logits"], "mul"),
        helper.make_node("ArgMax", ["logits"], ["labels"], "back", axis=1),
    ]
    bounds = {"low": 0.0, "high": 6.0, "one": 1.0}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 1, 4, 4])],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in bounds.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize("emulated", [False, True])
@pytest.mark.parametrize("keep", [set(), {"clip1"}, {"clip2"}, {"mask"}, {"mul"}])
def test_to_half_shared_weights_and_casts_of_the_network_follow(
    masked: onnx.ModelProto, keep: set[str], emulated: bool
) -> None:
    half = to_half(masked, keep)
    check_clean(half)
    types = element_types(half)
    assert types["mask"] == (FLOAT if "mask" in keep else HALF)
    assert types["low"] == (FLOAT if keep & {"clip1", "clip2"} else HALF)
    assert ("low.float16" in types) is (keep == {"clip2"})
    model = with_output(emulate(half) if emulated else half, "logits")
    image = np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4) % 9
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    clipped = np.clip(image.astype(np.float32), 0, 6)
    np.testing.assert_array_equal(session.run(["logits"], {"image": image})[0], clipped * (clipped > 1))


@pytest.mark.parametrize("value", [65520.0, -1e6, np.nan])
def test_to_half_weight_beyond_half_is_refused_by_name(small_graph: onnx.ModelProto, value: float) -> None:
    model = with_weight(small_graph, "network.conv3.weight", 7, value)
    with pytest.raises(ModelFileError, match=rf"network\.conv3\.weight: .*got {re.escape(f'{value:g}')} "):
        to_half(model)


def test_to_half_weight_beyond_half_may_stay_in_float(small_graph: onnx.ModelProto, node_of: NodeOf) -> None:
    model = with_weight(small_graph, "network.conv3.weight", 7, 65520.0)
    conv3 = node_of(model, "conv3")
    assert weights_beyond_half(half_network(model)) == {conv3: "network.conv3.weight"}
    half = to_half(model, {conv3})
    check_clean(half)
    assert element_types(half)["network.conv3.weight"] == FLOAT


def test_to_half_largest_weight_of_half_passes(small_graph: onnx.ModelProto) -> None:
    assert weights_beyond_half(half_network(with_weight(small_graph, "network.conv3.weight", 7, 65519.0))) == {}
    check_clean(to_half(with_weight(small_graph, "network.conv3.weight", 7, 65519.0)))


@pytest.mark.parametrize(
    "layers",
    [
        ("conv1",),
        ("conv2",),
        ("conv5",),
        ("up",),
        ("conv7",),
        ("head",),
        ("conv1", "conv4"),
        ("conv3", "conv4", "head"),
    ],
)
def test_to_half_kept_layers_stay_float_without_a_cast_too_many(
    small_graph: onnx.ModelProto, node_of: NodeOf, layers: tuple[str, ...]
) -> None:
    keep = {node_of(small_graph, layer) for layer in layers}
    half = to_half(small_graph, keep)
    check_clean(half)
    types = element_types(half)
    for layer in layers:
        assert types[f"network.{layer}.weight"] == FLOAT
        node = next(node for node in half.graph.node if node.name == node_of(small_graph, layer))
        assert types[node.output[0]] == FLOAT


def test_to_half_everything_kept_is_the_float_graph(small_graph: onnx.ModelProto) -> None:
    every = frozenset(node.name for node in half_network(small_graph).nodes)
    half = to_half(small_graph, every)
    assert list(half.graph.node) == list(small_graph.graph.node)
    assert list(half.graph.initializer) == list(small_graph.graph.initializer)


def test_to_half_unknown_node_is_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="got 'conv9'"):
        to_half(small_graph, {"conv9"})


def test_to_half_labels_are_nearly_those_of_float(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (small_graph, to_half(small_graph))
    ]
    expected, got = (np.stack([s.run(None, {"image": image})[0] for image in images]) for s in sessions)
    assert (expected == got).mean() > 0.995


@pytest.mark.parametrize("layers", [("conv1",), ("conv4",), ("conv2", "up")])
def test_keep_cost_is_the_difference_between_the_two_files(
    small_graph: onnx.ModelProto, node_of: NodeOf, layers: tuple[str, ...]
) -> None:
    keep = {node_of(small_graph, layer) for layer in layers}
    kept, plain = to_half(small_graph, keep), to_half(small_graph)
    cost = keep_cost(small_graph, keep)
    assert cost.casts_added == len(casts(kept)) - len(casts(plain))

    def weight_bytes(model: onnx.ModelProto) -> int:
        return sum(numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer)

    assert cost.bytes_added == weight_bytes(kept) - weight_bytes(plain)
    assert cost.bytes_added > 0
    assert cost.float_nodes == len(plan(half_network(small_graph), keep).float_nodes)


def test_keep_cost_of_nothing_is_nothing(small_graph: onnx.ModelProto) -> None:
    cost = keep_cost(small_graph, frozenset())
    assert (cost.float_nodes, cost.casts_added, cost.bytes_added) == (0, 0, 0)


def test_small_weights_are_counted(small_graph: onnx.ModelProto) -> None:
    before = small_weights(small_graph)
    model = small_graph
    # subnormal in half; half of the smallest subnormal, which rounds to zero; just above it, which does not
    for index, value in enumerate((6.1e-5, 2.0**-25, 2.0**-25 * 1.01)):
        model = with_weight(model, "network.conv4.weight", index, value)
    after = small_weights(model)
    assert (after.below_normal - before.below_normal, after.flushed - before.flushed) == (3, 1)
    halves = [tensor for tensor in to_half(model).graph.initializer if tensor.data_type == HALF]
    assert after.values == sum(numpy_helper.to_array(tensor).size for tensor in halves)


@pytest.mark.parametrize(
    "name",
    ["unet-fast", *(pytest.param(name, marks=pytest.mark.slow) for name in ("unet", "encoder-unet", "deeplabv3plus"))],
)
def test_to_half_of_each_network_is_clean(trace: Callable[..., onnx.ModelProto], name: str) -> None:
    shape = {"width": 2} if name != "unet-fast" else {"channels": [4, 4], "blocks": [0, 1]}
    network: nn.Module = build_network(network_from_dict({"name": name, **shape}), 3).eval()
    model = trace(network, 64, 64)
    half = to_half(model)
    check_clean(half)
    assert len(casts(half)) == 2
    convolutions = [node.name for node in half_network(model).nodes if node.op_type == "Conv"]
    check_clean(to_half(model, {convolutions[2], convolutions[-2]}))
    assert Counter(node.op_type for node in half.graph.node)["Conv"] == len(convolutions)
