"""Faults planted in known places of a file must be named there, and clean files must have none."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from export.numerics.half import to_half
from export.numerics.int8 import Int8Settings, to_int8
from export.proof.bisect import Difference, first_layer, locate, relative_error
from export.proof.candidate import groups
from export.proof.gates import GATES
from export.proof.reference import Reference
from export.proof.stage_error import StageError
from export.proof.stages import StageErrors
from export.settings import ExportSettings
from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes
from trainer.data.augment import fit
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork

Make = Callable[..., Any]


def located(trained: TrainedNetwork, data: bytes, sound: onnx.ModelProto, frames: list[Frame]) -> Difference:
    spec, _ = check_model_bytes(data, "test")
    answers = [Reference(trained, spec)(frame) for frame in frames]
    errors = StageErrors(data, GATES[spec.precision])
    for group in groups(answers, spec.batch):
        errors.add([answer.image for answer in group], [answer.stages for answer in group])
    images = [answer.image for answer in answers]
    suspect = onnx.load_from_string(data)
    return locate(errors.result(), suspect, sound, images, spec.precision, labels_agree=True)


def convolutions(model: onnx.ModelProto) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type == "Conv"]


def test_locate_clean_file_has_no_difference(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    found = located(trained, file_of(trained, plain_graph), plain_graph, unseen[:2])
    assert found == Difference(stage=None, layer=None)
    assert found.sentence() == "no stage differs"


@pytest.mark.parametrize("name", ["bgr swap", "wrong mean", "wrong std"])
def test_locate_fault_before_the_network_is_named_as_stage(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, faults: dict, unseen: list[Frame], name: str
) -> None:
    found = located(trained, file_of(trained, plain_graph, fault=faults[name]), plain_graph, unseen[:2])
    assert found == Difference(stage="normalised", layer=None)
    assert "normalised, before the network" in found.sentence()


@pytest.mark.parametrize(
    ("name", "place"),
    [("shift", 0), ("nan channel", 3), ("half overflow", 3), ("bad layer", 4), ("class permutation", -1)],
)
def test_locate_fault_in_the_network_is_named_as_layer(
    trained: TrainedNetwork,
    plain_graph: onnx.ModelProto,
    file_of: Make,
    faults: dict,
    unseen: list[Frame],
    name: str,
    place: int,
) -> None:
    found = located(trained, file_of(trained, plain_graph, fault=faults[name]), plain_graph, unseen[:2])
    assert found.stage == "logits"
    assert found.layer.value == convolutions(plain_graph)[place]
    assert not found.layer.error <= found.layer.explained
    assert found.layer.value in found.sentence()


def test_locate_half_file_clean_has_none_and_a_fault_is_named(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, faults: dict, unseen: list[Frame]
) -> None:
    settings = ExportSettings(precision="fp16")
    clean = file_of(trained, to_half(plain_graph), settings)
    assert located(trained, clean, plain_graph, unseen[:2]) == Difference(stage=None, layer=None)
    broken = onnx.ModelProto()
    broken.CopyFrom(plain_graph)
    faults["bad layer"](broken)
    found = located(trained, file_of(trained, to_half(broken), settings), plain_graph, unseen[:2])
    assert found.layer.value == convolutions(plain_graph)[4]


def test_locate_int8_file_clean_has_none_and_a_fault_is_named(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, faults: dict, unseen: list[Frame]
) -> None:
    settings = ExportSettings(precision="int8")
    images = [fit(frame, 64, 64).image_hwc for frame in unseen]
    names = [frame.name for frame in unseen]
    broken = onnx.ModelProto()
    broken.CopyFrom(plain_graph)
    faults["bad layer"](broken)
    found = []
    for graph in (plain_graph, broken):
        data = file_of(trained, to_int8(graph, images, names, Int8Settings()).model, settings)
        found.append(located(trained, data, plain_graph, unseen[:2]))
    assert found[0] == Difference(stage=None, layer=None)
    relu = next(node for node in plain_graph.graph.node if convolutions(plain_graph)[4] in node.input)
    assert found[1].layer.value in (convolutions(plain_graph)[4], relu.output[0])  # the quantiser may take them as one
    assert found[1].layer.operator == "Conv"


def test_first_layer_uses_a_whole_batch(
    trained: TrainedNetwork, graph_of: Make, faults: dict, unseen: list[Frame]
) -> None:
    graph = graph_of(trained, ExportSettings(batch=2))
    broken = onnx.ModelProto()
    broken.CopyFrom(graph)
    faults["bad layer"](broken)
    images = [np.ascontiguousarray(frame.image_hwc[:64, :64]) for frame in unseen[:3]]
    assert first_layer(broken, graph, images[:1], "fp32").value == convolutions(graph)[4]
    assert first_layer(graph, graph, images, "fp32") is None


def test_first_layer_of_a_graph_without_logits_is_refused(plain_graph: onnx.ModelProto, unseen: list[Frame]) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(plain_graph)
    for node in other.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"x{name}" if name == "logits" else name for name in names]
    del other.graph.value_info[:]
    with pytest.raises(ModelFileError, match=r"value 'logits' .* got [1-9][0-9]* values in common"):
        first_layer(other, plain_graph, [unseen[0].image_hwc[:64, :64]], "fp32")


@pytest.mark.parametrize(
    ("stages", "agree", "stage"),
    [
        ({"colour": 2.0, "resized": 3.0}, False, "colour"),
        ({"resized": 0.0, "resized, Pillow": 2.0}, True, "resized"),
        ({"normalised": math.nan}, True, "normalised"),
        ({"normalised": 0.0, "logits": 0.0}, False, "labels"),
    ],
)
def test_locate_names_the_first_stage_that_is_off(
    plain_graph: onnx.ModelProto, unseen: list[Frame], stages: dict[str, float], agree: bool, stage: str
) -> None:
    errors = [StageError(name=name, largest=largest, mean=0.0, tolerance=1.0) for name, largest in stages.items()]
    images = [np.ascontiguousarray(unseen[0].image_hwc[:64, :64])]
    found = locate(errors, plain_graph, plain_graph, images, "fp32", labels_agree=agree)
    assert found == Difference(stage=stage, layer=None)
    assert stage in found.sentence()


def test_locate_logits_off_in_a_fresh_export_too_says_so(plain_graph: onnx.ModelProto, unseen: list[Frame]) -> None:
    errors = [StageError(name="logits", largest=2.0, mean=0.0, tolerance=1.0)]
    images = [np.ascontiguousarray(unseen[0].image_hwc[:64, :64])]
    found = locate(errors, plain_graph, plain_graph, images, "fp32", labels_agree=False)
    assert "a fresh export does the same" in found.sentence()


def test_relative_error_is_that_of_the_norms() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 5, 6)).astype(np.float32)
    assert relative_error(a, b) == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-5)
    assert math.isnan(relative_error(np.full_like(a, np.nan), b))
    assert math.isnan(relative_error(a[:1], b))
    assert relative_error(np.zeros(3), np.zeros(3)) == 0
    assert relative_error(np.ones(3), np.zeros(3)) == math.inf


def test_locate_clean_file_with_a_confidence_has_no_difference_though_the_temperature_is_another(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame]
) -> None:
    settings = ExportSettings(confidence=True)
    warm = graph_of(trained, settings, lambda deploy: setattr(deploy.back, "temperature", 1.5))
    data = file_of(trained, warm, settings)
    assert located(trained, data, graph_of(trained, settings), unseen[:2]) == Difference(stage=None, layer=None)


def test_locate_confidence_that_differs_alone_is_named(plain_graph: onnx.ModelProto, unseen: list[Frame]) -> None:
    images = [np.ascontiguousarray(unseen[0].image_hwc[:64, :64])]
    found = locate([], plain_graph, plain_graph, images, "fp32", labels_agree=True, confidence_agrees=False)
    assert found == Difference(stage="confidence", layer=None)
    assert "confidence: logits and labels agree" in found.sentence()
