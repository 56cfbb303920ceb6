from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from export.numerics.calibration import Calibration, calibrate
from export.numerics.int8 import Int8Settings, prepare
from export.numerics.label_agreement import agreement, labels_of
from export.numerics.sensitivity import choose_method, search_float_nodes
from runtime.errors import DataError


@pytest.fixture(scope="module")
def frames(images: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return [image[0] for image in images]


def calibrated(model: onnx.ModelProto, frames: list[NDArray[np.uint8]]) -> Calibration:
    return calibrate(model, frames, [str(i) for i in range(len(frames))], 1)


@pytest.fixture(scope="module")
def prepared(small_graph: onnx.ModelProto) -> onnx.ModelProto:
    return prepare(small_graph, "cpu")


@pytest.fixture(scope="module")
def brittle(small_graph: onnx.ModelProto) -> onnx.ModelProto:
    """A channel that is always zero, and weights of conv3 for it so large that int8 keeps nothing of the others."""
    model = onnx.ModelProto()
    model.CopyFrom(small_graph)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if tensor.name == "network.conv2.weight":
            values[0] = 0
        elif tensor.name == "network.conv2.bias":
            values[0] = -1  # below zero, so ReLU makes it zero
        elif tensor.name == "network.conv3.weight":
            values[:, 0] = 1000
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return prepare(model, "cpu")


def test_choose_method_takes_the_one_that_a_freak_does_not_mislead(
    prepared: onnx.ModelProto, frames: list[NDArray[np.uint8]]
) -> None:
    calibration = calibrated(prepared, frames)
    values = dict(calibration.values)
    for name in list(values)[1:5]:  # one element a thousand times the others, too rare to be in the histogram
        wide = replace(values[name], limit=values[name].limit * 1024)
        counts = np.zeros_like(wide.counts)
        counts[2048 - 2 : 2048 + 2] = values[name].counts.reshape(4, -1).sum(axis=1)
        values[name] = replace(wide, counts=counts, highest=values[name].highest * 1000)
    choice = choose_method(prepared, replace(calibration, values=values), frames, Int8Settings(), 1)
    assert choice.method != "min-max"
    assert choice.agreement[choice.method] > choice.agreement["min-max"] + 0.1
    assert choice.record()["label_agreement"] == choice.agreement
    assert choice.frames == len(frames)


def test_choose_method_takes_min_max_of_equals(prepared: onnx.ModelProto, frames: list[NDArray[np.uint8]]) -> None:
    grey = [np.full_like(frames[0], 128)]
    choice = choose_method(prepared, calibrated(prepared, grey), grey, Int8Settings(), 1)
    if len(set(choice.agreement.values())) == 1:
        assert choice.method == "min-max"
    assert choice.agreement[choice.method] == max(choice.agreement.values())


def test_search_float_nodes_finds_the_planted_node(brittle: onnx.ModelProto, frames: list[NDArray[np.uint8]]) -> None:
    expected = labels_of(brittle, frames, 1)

    def gate(result: object) -> bool:
        return agreement(labels_of(result.model, frames, 1), expected) > 0.95

    found = search_float_nodes(brittle, calibrated(brittle, frames), frames[:4], Int8Settings(), gate, threads=1)
    planted = next(node.name for node in brittle.graph.node if "network.conv3.weight" in node.input)
    assert found.start < 0.9
    assert found.passed
    assert [step.node for step in found.steps] == [planted]
    assert found.steps[0].gain > 0.05
    assert found.steps[0].agreement == pytest.approx(found.start + found.steps[0].gain)
    assert planted in found.result.float_nodes
    assert len(found.gains) == 8
    assert found.record()["left_in_float"][0]["node"] == planted


def test_search_float_nodes_content_gate_searches_nothing(
    prepared: onnx.ModelProto, frames: list[NDArray[np.uint8]]
) -> None:
    found = search_float_nodes(
        prepared, calibrated(prepared, frames), frames[:2], Int8Settings(), lambda _: True, threads=1
    )
    assert (found.passed, found.steps, found.gains) == (True, (), {})
    assert len(found.result.quantised) == 8


def test_search_float_nodes_gate_that_never_passes_ends_after_the_most(
    prepared: onnx.ModelProto, frames: list[NDArray[np.uint8]]
) -> None:
    found = search_float_nodes(
        prepared, calibrated(prepared, frames), frames[:2], Int8Settings(), lambda _: False, most=2, threads=1
    )
    assert not found.passed
    assert len(found.steps) == min(2, sum(gain > 0 for gain in found.gains.values()))  # none that gains nothing
    assert len(found.result.quantised) == 8 - len(found.steps)


def test_agreement_counts_equal_pixels() -> None:
    one, other = np.array([[1, 2], [3, 255]], np.uint8), np.array([[1, 2], [0, 255]], np.uint8)
    assert agreement([one, one], [one, other]) == 7 / 8


@pytest.mark.parametrize(("one", "other"), [(0, 0), (2, 1)])
def test_agreement_of_unequal_lists_is_refused(one: int, other: int) -> None:
    labels = np.zeros((2, 2), np.uint8)
    with pytest.raises(DataError, match=f"got {one} and {other}"):
        agreement([labels] * one, [labels] * other)
