import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.describe import describe
from export.proof.gates import GATES
from export.proof.pixels import spread
from export.proof.reference import Reference
from export.proof.stage_error import StageError
from export.proof.stages import StageErrors, tolerances
from export.settings import ExportSettings
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import Normalise

Make = Callable[..., Any]


def test_stage_errors_are_those_of_the_graphs_own_values(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    errors = StageErrors(file_of(trained, plain_graph), GATES["fp32"])
    answers = [Reference(trained, errors.spec)(frame) for frame in unseen[:2]]
    found = [errors.read([answer.image])[0] for answer in answers]
    for answer, stages in zip(answers, found, strict=True):
        with torch.no_grad():
            expected = trained.network(Normalise()(torch.from_numpy(answer.image)[None]))[0].numpy()
        np.testing.assert_allclose(stages["logits"], expected, atol=1e-4)
    off = [{**answer.stages, "logits": answer.stages["logits"] + 0.5} for answer in answers]
    for answer, wanted in zip(answers, off, strict=True):
        errors.add([answer.image], [wanted])
    normalised, logits = errors.result()
    assert (normalised.name, logits.name) == ("normalised", "logits")
    assert normalised.within
    assert not logits.within
    units = [spread(answer.stages["logits"]) for answer in answers]
    assert logits.largest == pytest.approx(0.5 / min(units), rel=1e-3)
    assert logits.mean == pytest.approx(np.mean([0.5 / unit for unit in units]), rel=1e-3)


def test_stage_errors_keep_a_nan_of_any_frame(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    errors = StageErrors(file_of(trained, plain_graph), GATES["int8"])
    for frame, fault in zip(unseen[:3], (0, math.nan, 0), strict=True):
        answer = Reference(trained, errors.spec)(frame)
        logits = answer.stages["logits"].copy()
        logits[0, 0, 0] += fault
        errors.add([answer.image], [{**answer.stages, "logits": logits}])
    logits_error = errors.result()[-1]
    assert math.isnan(logits_error.largest)
    assert logits_error.failure == "stage logits: a value is not finite, in the file or in the network"


def test_tolerances_are_a_grey_level_where_the_graph_resizes_and_rounding_where_not(trained: TrainedNetwork) -> None:
    spec = describe(trained, "run", ExportSettings(), opset=18)
    assert tolerances(spec, ("normalised", "logits"), GATES["fp16"]) == {"normalised": 1e-4, "logits": 0.5}
    found = tolerances(spec, ("colour", "resized", "normalised", "logits"), GATES["fp32"])
    assert list(found) == ["colour", "resized", "resized, Pillow", "normalised", "logits"]
    assert found["colour"] == found["resized"] == found["resized, Pillow"] == 1
    assert found["normalised"] == pytest.approx(1 / 255 / 0.224)


def test_stage_error_over_its_tolerance_says_by_how_much() -> None:
    stage = StageError(name="colour", largest=16.25, mean=3.0, tolerance=1.0)
    assert stage.failure == "stage colour is off by up to 16.25, at most 1 is allowed"
    assert StageError(name="colour", largest=1.0, mean=0.1, tolerance=1.0).failure is None
