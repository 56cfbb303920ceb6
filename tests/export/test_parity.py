import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from export.parity import GATES, Gates, Parity, judge
from runtime.metrics import confusion_matrix, scores

CLASSES = ("road", "car", "human")
GATE = Gates(agreement=0.99)


def scored(truth: np.ndarray, predicted: np.ndarray):
    return scores(confusion_matrix(truth, predicted, len(CLASSES)))


@pytest.fixture
def truth() -> np.ndarray:
    """100x100 pixels: 9,400 road, 500 car, 100 human."""
    labels = np.zeros((100, 100), np.uint8)
    labels[:5] = 1
    labels[5] = 2
    return labels


def test_judge_equal_answers_pass(truth: np.ndarray) -> None:
    result = scored(truth, truth)
    assert judge(1.0, result, result, CLASSES, GATE, logit_error_max=0.0) == ()


def test_judge_rare_class_lost_fails_by_name_though_the_labels_agree(truth: np.ndarray) -> None:
    worse = truth.copy()
    worse[5, :40] = 0
    before, after = scored(truth, truth), scored(truth, worse)
    drop = 1 - jaccard_score(truth.ravel() == 2, worse.ravel() == 2)
    failures = judge(0.996, before, after, CLASSES, GATE, logit_error_max=0.1)
    assert any(f"IoU of human fell by {drop:.4f}" in failure for failure in failures)
    assert not any("agreement" in failure for failure in failures)


def test_judge_class_gone_up_passes(truth: np.ndarray) -> None:
    worse = truth.copy()
    worse[5, :40] = 0
    assert judge(0.996, scored(truth, worse), scored(truth, truth), CLASSES, GATE, logit_error_max=0.1) == ()


@pytest.mark.parametrize(("agreement", "passes"), [(0.99, True), (0.98999, False), (math.nan, False)])
def test_judge_agreement_gate(truth: np.ndarray, agreement: float, passes: bool) -> None:
    result = scored(truth, truth)
    assert (judge(agreement, result, result, CLASSES, GATE, logit_error_max=0.0) == ()) is passes


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_judge_logit_that_is_not_finite_fails(truth: np.ndarray, error: float) -> None:
    result = scored(truth, truth)
    assert "not finite" in judge(1.0, result, result, CLASSES, GATE, logit_error_max=error)[0]


def test_judge_everything_invalid_fails_every_gate(truth: np.ndarray) -> None:
    failures = judge(
        0.0, scored(truth, truth), scored(truth, np.full_like(truth, 255)), CLASSES, GATE, logit_error_max=0.0
    )
    assert len(failures) == 2 + len(CLASSES)


def test_judge_class_absent_everywhere_is_left_out() -> None:
    road = np.zeros((4, 4), np.uint8)
    result = scored(road, road)
    assert math.isnan(result.iou[2])
    assert judge(1.0, result, result, CLASSES, GATE, logit_error_max=0.0) == ()


def test_judge_stray_pixel_of_an_absent_class_on_either_side_passes() -> None:
    road = np.zeros((200, 200), np.uint8)
    stray = road.copy()
    stray[7, 7] = 1
    for before, after in ((stray, road), (road, stray)):
        assert judge(0.999975, scored(road, before), scored(road, after), CLASSES, GATE, logit_error_max=0.0) == ()


def test_gates_are_those_of_the_promise() -> None:
    assert (GATES["fp32"].agreement, GATES["fp16"].agreement) == (0.9999, 0.998)
    assert {(gate.mean_iou_drop, gate.class_iou_drop) for gate in GATES.values()} == {(0.002, 0.01)}


def test_parity_report_holds_no_number_that_json_lacks() -> None:
    import json

    road = np.zeros((4, 4), np.uint8)
    parity = Parity(
        frames=1,
        provider="cpu",
        agreement=1.0,
        reference=scored(road, road),
        candidate=scored(road, road),
        logit_error_max=math.nan,
        logit_error_mean=0.0,
        gates=GATE,
        failures=("a logit is not finite",),
    )
    report = json.loads(json.dumps(parity.report(CLASSES), allow_nan=False))
    assert report["passed"] is False
    assert report["classes"][2] == {"name": "human", "iou_reference": None, "iou_file": None, "delta": None}
