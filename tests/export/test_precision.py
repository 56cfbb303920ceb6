"""A small trained network's graph in half precision and int8: what is told of it. The work is export.numerics's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import export.precision
from export.graph.deploy import Deploy
from export.graph.trace import trace
from export.precision import PreciseGraph, in_half, in_int8
from export.settings import ExportSettings
from runtime.errors import DataError
from trainer.data.dataset import open_dataset
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

NAMES = [f"train/{number}.jpg" for number in range(1, 13)]


@pytest.fixture(scope="module", params=[1, 2])
def graph(request: pytest.FixtureRequest, small: TrainedNetwork) -> onnx.ModelProto:
    settings = ExportSettings(batch=request.param)
    return trace(Deploy(small.network, settings, 64, 64, mean=IMAGENET_MEAN, std=IMAGENET_STD))


@pytest.fixture(scope="module")
def frames(pairs: Path) -> list[np.ndarray]:
    data = open_dataset(pairs)
    return [data.read("train", index).image_hwc for index in range(12)]


def one_huge_channel(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, but one channel between two convolutions is a million times as large."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    first, second = [node for node in model.graph.node if node.op_type == "Conv"][3:5]
    weights = {tensor.name: tensor for tensor in model.graph.initializer}

    def change(name: str, where: Any, factor: float) -> None:
        values = numpy_helper.to_array(weights[name]).copy()
        values[where] *= factor
        weights[name].CopyFrom(numpy_helper.from_array(values, name))

    for name in first.input[1:]:
        change(name, 0, 1e6)
    change(second.input[1], (slice(None), 0), 1e-6)
    return model


def test_in_half_of_a_sound_network_keeps_nothing_in_float(graph: onnx.ModelProto, frames: list[np.ndarray]) -> None:
    precise = in_half(graph, frames[:4], 0.99)
    assert precise.numerics is not None
    assert (precise.numerics["frames"], precise.numerics["kept_in_fp32"]) == (4, [])
    assert 0.99 <= precise.numerics["emulated_agreement"] <= 1
    assert 0 < precise.numerics["largest_value"] < 65504
    assert precise.notes == ()
    weights = {tensor.data_type for tensor in precise.model.graph.initializer if "weight" in tensor.name}
    assert weights == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("graph", [1], indirect=True)
def test_in_half_names_what_stays_in_float_and_why(graph: onnx.ModelProto, frames: list[np.ndarray]) -> None:
    precise = in_half(one_huge_channel(graph), frames[:4], 0.99)
    assert precise.numerics is not None
    kept = precise.numerics["kept_in_fp32"]
    assert kept
    assert precise.numerics["largest_value"] > 65504
    assert [note.split(": ")[:2] for note in precise.notes] == [["kept in fp32", name] for name in kept]
    assert len(precise.report["ranges"]["tensors"]) <= 20
    assert precise.report["kept"]["kept"] == kept


@pytest.mark.parametrize("graph", [1], indirect=True)
def test_in_half_of_a_value_beyond_float32_that_a_relu_takes_away_gives_a_spec_in_json(
    graph: onnx.ModelProto, frames: list[np.ndarray]
) -> None:
    model = onnx.ModelProto.FromString(graph.SerializeToString())
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, value in zip(
        [n for n in model.graph.node if n.op_type == "Conv"][3].input[1:], (-1e38, -3e38), strict=True
    ):
        values = numpy_helper.to_array(weights[name]).copy()
        values[0] = value
        weights[name].CopyFrom(numpy_helper.from_array(values, name))
    precise = in_half(model, frames[:2], 0.5)
    assert precise.numerics is not None
    assert precise.numerics["kept_in_fp32"]
    assert precise.numerics["largest_value"] is None
    json.dumps([precise.numerics, precise.report], allow_nan=False)


@pytest.mark.parametrize("graph", [2], indirect=True)
def test_in_half_of_a_batch_holds_each_frame_once(
    graph: onnx.ModelProto, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, seen = export.precision.measure_ranges, []

    def looked_at(model: onnx.ModelProto, images: list[np.ndarray]) -> object:
        seen.extend(images)
        return measure(model, images)

    monkeypatch.setattr(export.precision, "measure_ranges", looked_at)
    in_half(graph, frames[:2], 0.5)
    assert [image.shape for image in seen] == [(2, 64, 64, 3)] * 2
    assert all(np.shares_memory(image, frame) for image, frame in zip(seen, frames, strict=False))


@pytest.mark.parametrize("vnni", [True, False, None])
@pytest.mark.parametrize("graph", [1], indirect=True)
def test_in_int8_without_vnni_holds_weights_to_7_bits_and_says_so(
    graph: onnx.ModelProto, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, vnni: bool | None
) -> None:
    monkeypatch.setattr(export.precision, "cpu_has_vnni", lambda: vnni)
    precise = in_int8(graph, frames, NAMES, "cpu", lambda _: True)
    assert precise.numerics is not None
    assert precise.numerics["reduce_range"] is (vnni is False)
    assert [("7 bits" in note) for note in precise.notes] == [True] * (vnni is False)
    largest = max(
        int(np.abs(numpy_helper.to_array(tensor).astype(int)).max())
        for tensor in precise.model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and tensor.dims
    )
    assert largest in ((63, 64) if vnni is False else (127, 128))


@pytest.mark.parametrize("graph", [2], indirect=True)
def test_in_int8_asks_the_gates_of_what_it_returns_last(graph: onnx.ModelProto, frames: list[np.ndarray]) -> None:
    asked: list[PreciseGraph] = []

    def second_time(precise: PreciseGraph) -> bool:
        asked.append(precise)
        return len(asked) == 2

    # with one channel so much larger than the others, int8 loses labels there that float keeps
    precise = in_int8(one_huge_channel(graph), frames, NAMES, "tensorrt", second_time)
    assert precise.numerics is not None
    assert asked[-1].model == precise.model
    assert asked[-1].numerics == precise.numerics
    assert asked[0].numerics["float_nodes"] == []
    assert len(precise.numerics["float_nodes"]) == len(precise.report["search"]["left_in_float"]) == 1
    assert precise.numerics["calibration"]["frames"] == 9  # a quarter of the twelve chooses
    assert precise.notes == ()  # 7 bits are a matter of this CPU's kernels, not of another engine's


@pytest.mark.parametrize("graph", [1], indirect=True)
def test_in_int8_of_too_few_frames_is_refused(graph: onnx.ModelProto, frames: list[np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"int8: expected 4 training frames or more .*, got 3; .*--calibration"):
        in_int8(graph, frames[:3], NAMES[:3], "cpu", lambda _: True)
