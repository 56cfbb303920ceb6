import json
import math
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.numerics.network import NORMALISED, find_network
from export.numerics.ranges import TensorRange, measure_ranges
from export.numerics.session import open_unoptimised, with_output
from runtime.errors import DataError

Planted = Callable[[onnx.ModelProto, list[tuple[str, str]], int], onnx.ModelProto]


def all_values(model: onnx.ModelProto, images: list[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
    names = [NORMALISED, *(v for node in find_network(model).nodes for v in node.output)]
    for name in names:
        model = with_output(model, name)
    session, _ = open_unoptimised(model)
    found = [session.run(names, {"image": image}) for image in images]
    return {name: np.stack([row[i] for row in found]) for i, name in enumerate(names)}


def test_measure_ranges_equal_numpy_over_the_values_themselves(
    small_graph: onnx.ModelProto, planted: Planted, images: list[NDArray[np.uint8]]
) -> None:
    model = planted(small_graph, [("conv4", "conv5")], -20)
    ranges = measure_ranges(model, images)
    expected = all_values(model, images)
    assert (ranges.frames, [tensor.name for tensor in ranges.tensors]) == (len(images), list(expected))
    for tensor in ranges.tensors:
        magnitude = np.abs(expected[tensor.name])
        with np.errstate(under="ignore"):
            half = magnitude.astype(np.float16)
        assert tensor.largest == magnitude.max()
        assert (tensor.values, tensor.nonzero) == (magnitude.size, (magnitude > 0).sum())
        assert tensor.below_normal == ((magnitude > 0) & (magnitude < np.finfo(np.float16).tiny)).sum()
        assert tensor.flushed == ((magnitude > 0) & (half == 0)).sum()
        assert tensor.not_finite == 0
    conv4 = next(t for t in ranges.tensors if t.node == planted_node(model, "conv4"))
    assert conv4.share_below_normal == 1
    assert 0 < conv4.share_flushed <= 1


def planted_node(model: onnx.ModelProto, layer: str) -> str:
    return next(node.name for node in model.graph.node if f"network.{layer}.weight" in node.input)


def test_measure_ranges_clean_network_fits(small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]) -> None:
    ranges = measure_ranges(small_graph, images)
    assert ranges.overflowing == frozenset()
    assert ranges.largest.headroom > 100
    assert ranges.share_flushed < 0.001


def test_measure_ranges_planted_overflow_is_found_where_it_is(
    small_graph: onnx.ModelProto, planted: Planted, images: list[NDArray[np.uint8]]
) -> None:
    ranges = measure_ranges(planted(small_graph, [("conv3", "conv4")], 15), images)
    found = {tensor.node for tensor in ranges.tensors if tensor.overflows}
    conv3 = planted_node(small_graph, "conv3")
    relu = next(n.name for n in small_graph.graph.node if n.op_type == "Relu" and conv3_output(small_graph) in n.input)
    assert found == {conv3, relu}
    worst = ranges.report()["tensors"][0]
    assert worst["node"] in found
    assert worst["headroom"] < 1


def conv3_output(model: onnx.ModelProto) -> str:
    return next(node.output[0] for node in model.graph.node if "network.conv3.weight" in node.input)


def test_measure_ranges_takes_one_frame_at_a_time(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    asked = []

    def stream() -> Iterator[NDArray[np.uint8]]:
        for index, image in enumerate(images):
            asked.append(index)
            yield image

    assert measure_ranges(small_graph, stream()) == measure_ranges(small_graph, images)
    assert asked == list(range(len(images)))


def test_measure_ranges_value_not_finite_in_float_is_told(
    small_graph: onnx.ModelProto, planted: Planted, images: list[NDArray[np.uint8]]
) -> None:
    ranges = measure_ranges(planted(small_graph, [("conv3", "conv4")], 126), images[:1])
    worst = ranges.report()["tensors"][0]
    assert worst["largest"] is None
    assert worst["not_finite"] > 0
    assert worst["name"] in ranges.overflowing
    json.dumps(ranges.report(), allow_nan=False)


def test_measure_ranges_nan_is_told_as_not_finite() -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "middle"], [NORMALISED], "subtract"),
        helper.make_node("Sqrt", [NORMALISED], ["logits"], "root"),  # NaN below the middle
        helper.make_node("ArgMax", ["logits"], ["labels"], "argmax", axis=1, keepdims=0),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 2, 3, 4])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 3, 4])
    middle = numpy_helper.from_array(np.float32(100), "middle")
    graph = helper.make_graph(nodes, "nan", [image], [labels], [middle])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    frame = np.full((1, 2, 3, 4), 164, np.uint8)
    frame[0, :, 0, 0] = 0
    ranges = measure_ranges(model, [frame])
    assert [(tensor.largest, tensor.not_finite) for tensor in ranges.tensors] == [(100, 0), (math.inf, 2)]
    assert ranges.overflowing == {"logits"}


def test_measure_ranges_without_a_frame_is_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(DataError, match="expected one frame or more, got none"):
        measure_ranges(small_graph, [])


@pytest.mark.parametrize(("largest", "overflows"), [(65504, False), (65519.99, False), (65520, True), (math.inf, True)])
def test_tensor_range_overflows_where_numpy_rounds_to_inf(largest: float, overflows: bool) -> None:
    tensor = TensorRange(
        name="t",
        node="n",
        op="Conv",
        largest=largest,
        values=1,
        nonzero=1,
        below_normal=0,
        flushed=0,
        not_finite=0,
    )
    with np.errstate(over="ignore"):
        assert np.isinf(np.float64(largest).astype(np.float16)) == overflows
    assert tensor.overflows is overflows
