"""Parity as JSON, and as the terminal shows it; of label maps made by hand."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from export.proof.confidence import ConfidenceError
from export.proof.gates import TABLE, with_overrides
from export.proof.measure import Comparison
from export.proof.parity import Parity
from export.proof.report import CLASSES_HEADER, class_rows, gate_rows, overview_rows, reasons, stage_rows, verdict_line
from export.proof.stage_error import StageError
from export.proof.verdict import judge

CLASSES = ("road", "car", "human", "sky")
FRAMES = 12


def road_scene() -> np.ndarray:
    """100x100 pixels: 9,400 road, 500 car, 100 human, no sky."""
    labels = np.zeros((100, 100), np.uint8)
    labels[:5] = 1
    labels[5] = 2
    return labels


def parity(after: np.ndarray, *, truth: np.ndarray | None, **more: object) -> Parity:
    comparison = Comparison(class_count=len(CLASSES), near_tie=0.001)
    for index in range(FRAMES):
        comparison.add(str(index), truth, road_scene(), after, np.ones(after.shape))
    result = comparison.result()
    gates = with_overrides("fp32", {"agreement": 0.5})
    return Parity(
        precision="fp32",
        provider="cpu",
        measured=result,
        verdict=judge(result, CLASSES, gates, "fp32"),
        gates=gates,
        **more,
    )


STAGES = (
    StageError(name="normalised", largest=1e-6, mean=1e-7, tolerance=1e-4),
    StageError(name="logits", largest=math.nan, mean=math.nan, tolerance=1e-3),
)


@pytest.mark.parametrize("truth", [None, road_scene()])
def test_parity_report_and_summary_hold_no_number_that_json_lacks(truth: np.ndarray | None) -> None:
    worse = road_scene()
    worse[5] = 255
    found = parity(worse, truth=truth, stages=STAGES, stages_provider="cpu", confidence=ConfidenceError())
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    assert (report["schema_version"], report["passed"], report["lost_pixels"]) == (2, False, 1200)
    assert report["gates_changed"] == [{"name": "agreement", "default": 0.9999, "used": 0.5}]
    assert report["logit_error_max"] is None
    assert report["classes"][2]["verdict"] == "failed"
    assert report["classes"][2]["iou_file"] == (None if truth is None else 0)
    assert report["classes"][3]["verdict"] == "not proven"
    assert all(len(gate["why"]) > 30 for gate in report["gates"].values())
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert summary == {key: report[key] for key in summary}
    assert len(json.dumps(summary)) < 1200  # it travels in the file


def test_parity_worst_class_is_the_one_that_fell_most() -> None:
    worse = road_scene()
    worse[5, :40] = 1
    drop = 1 - jaccard_score(road_scene().ravel() == 2, worse.ravel() == 2)
    summary = parity(worse, truth=road_scene()).summary()
    assert summary["worst_class"] == {"name": "human", "iou_drop": pytest.approx(drop)}
    assert summary["mean_iou_drop"]["low"] == pytest.approx(summary["mean_iou_drop"]["drop"])  # all frames alike


def test_parity_stage_that_is_not_finite_fails_the_file() -> None:
    assert parity(road_scene(), truth=road_scene()).passed
    found = parity(road_scene(), truth=road_scene(), stages=STAGES)
    assert found.failures == ("stage logits: a value is not finite, in the file or in the network",)
    assert not found.passed


def test_report_one_look_tells_passed_or_failed_and_why() -> None:
    worse = road_scene()
    worse[5, :40] = 0
    found = parity(worse, truth=road_scene(), stages=STAGES, confidence=ConfidenceError(pixels=10, total=50, largest=9))
    line = verdict_line(found)
    assert line.startswith("FAILED: fp32 on 'cpu', 12 frames, mean IoU 1.0000 -> ")
    assert line.endswith("not proven: sky")
    text = "\n".join(reasons(found))
    for words in ("failed: human: IoU fell by 0.4000", "not proven: sky", "gate agreement: 0.5 in place of 0.9999"):
        assert words in text
    rows = {row[0]: row for row in class_rows(found)}
    assert all(len(row) == len(CLASSES_HEADER) for row in rows.values())
    assert rows["human"] == ("human", "1.0000", "0.6000", "1.0000", "0.6000", "0.6000", "FAILED")
    assert rows["sky"] == ("sky", "-", "-", "-", "-", "-", "not proven")
    assert [row[-1] for row in stage_rows(found)] == ["passed", "FAILED", "FAILED"]
    assert gate_rows(found)[0] == ("agreement", "0.5", TABLE["agreement"].why)
    assert overview_rows(found)[0] == ("all", "100.00%", "99.6000%")
    assert overview_rows(found)[2] == ("near ties", "0.00%", "-")


def test_report_passed_file_says_so() -> None:
    assert verdict_line(parity(road_scene(), truth=road_scene())).startswith("PASSED")
    assert [row[1:5] for row in class_rows(parity(road_scene(), truth=None))] == [("-",) * 4] * 4
