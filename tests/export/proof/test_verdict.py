"""Label maps made by hand, the gates applied; the expected drops are scikit-learn's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, recall_score

from export.proof.gates import GATES, Gates, with_overrides
from export.proof.measure import Comparison, Measured, Share
from export.proof.verdict import Verdict, judge

CLASSES = ("road", "car", "human", "sky")
FRAMES = 12
LOOSE = with_overrides("fp32", {"agreement": 0.9, "confident_agreement": 0.9, "mean_iou_drop": 0.5})
"""Leaves the classes alone to decide."""


def road_scene() -> np.ndarray:
    """100x100 pixels: 9,400 road, 500 car, 100 human, no sky."""
    labels = np.zeros((100, 100), np.uint8)
    labels[:5] = 1
    labels[5] = 2
    return labels


def measured(
    truth: np.ndarray | None, before: np.ndarray, after: np.ndarray, *, frames: int = FRAMES, margin: float = 1.0
) -> Measured:
    """The same frame several times."""
    comparison = Comparison(class_count=len(CLASSES), near_tie=0.001)
    for index in range(frames):
        comparison.add(str(index), truth, before, after, np.full(before.shape, margin, np.float32))
    return comparison.result()


def verdict(*maps: np.ndarray | None, gates: Gates = LOOSE, precision: str = "fp32", **how: float) -> Verdict:
    return judge(measured(*maps, **how), CLASSES, gates, precision)


def states(found: Verdict) -> dict[str, str]:
    return {each.name: each.state for each in found.classes}


def test_judge_equal_answers_pass_and_an_absent_class_is_not_proven() -> None:
    truth = road_scene()
    found = verdict(truth, truth, truth, gates=GATES["fp32"])
    assert found.passed
    assert states(found) == {"road": "passed", "car": "passed", "human": "passed", "sky": "not proven"}
    assert found.not_proven == ("sky: is on none of the 12 frames",)
    assert found.changed == ()


def test_judge_rare_class_lost_fails_by_name_though_mean_and_agreement_hold() -> None:
    truth, worse = road_scene(), road_scene()
    worse[5, :40] = 0
    found = verdict(truth, truth, worse)
    drop = 1 - jaccard_score(truth.ravel() == 2, worse.ravel() == 2)
    assert found.failures == (f"human: IoU fell by {drop:.4f}, at most 0.01 is allowed",)
    assert states(found)["human"] == "failed"


def test_judge_recall_lost_fails_though_the_iou_holds() -> None:
    truth, before, after = road_scene(), road_scene(), road_scene()
    before[6, :20] = 2  # 20 false alarms: IoU 100/120
    after[5, :16] = 0  # 16 misses: IoU 84/100
    assert jaccard_score(truth.ravel() == 2, after.ravel() == 2) > jaccard_score(
        truth.ravel() == 2, before.ravel() == 2
    )
    drop = 1 - recall_score(truth.ravel() == 2, after.ravel() == 2)
    assert f"human: recall fell by {drop:.4f}, at most 0.01 is allowed" in verdict(truth, before, after).failures


def test_judge_class_gone_up_passes() -> None:
    truth, worse = road_scene(), road_scene()
    worse[5, :40] = 0
    assert verdict(truth, worse, truth).passed


@pytest.mark.parametrize(("frames", "state"), [(9, "not proven"), (10, "passed")])
def test_judge_class_on_too_few_frames_is_not_proven(frames: int, state: str) -> None:
    truth = road_scene()
    assert states(verdict(truth, truth, truth, frames=frames))["car"] == state


@pytest.mark.parametrize(("pixels", "state"), [(83, "not proven"), (84, "passed")])
def test_judge_class_of_too_few_pixels_is_not_proven(pixels: int, state: str) -> None:
    truth = road_scene()
    truth[5, pixels:] = 0
    found = verdict(truth, truth, truth)  # 12 frames: 996 and 1,008 pixels
    assert states(found)["human"] == state
    assert any("human: 996 pixels in 12 frames are too few" in text for text in found.not_proven) is (pixels == 83)


def test_judge_class_of_few_pixels_that_is_clearly_lost_fails() -> None:
    truth, worse = road_scene(), road_scene()
    worse[5] = 0
    assert states(verdict(truth, truth, worse, frames=1))["human"] == "failed"


def test_judge_stray_flips_in_a_class_of_few_pixels_do_not_fail_it() -> None:
    truth = road_scene()
    truth[5, 10:] = 0
    worse = truth.copy()
    worse[5, :5] = 0  # half of ten pixels
    assert states(verdict(truth, truth, worse, frames=1))["human"] == "not proven"


def test_judge_class_that_the_trained_network_does_not_find_is_not_proven() -> None:
    truth, blind = road_scene(), road_scene()
    blind[5] = 0
    found = verdict(truth, blind, blind)
    assert states(found)["human"] == "not proven"
    assert "human: the trained network has an IoU of 0.0000, there is none to lose" in found.not_proven


def test_judge_stray_pixel_of_an_absent_class_on_either_side_passes() -> None:
    road, stray = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    stray[7, 7] = 1
    gates = replace(GATES["fp32"], confident_agreement=0.9999)
    for before, after in ((stray, road), (road, stray)):
        assert verdict(road, before, after, gates=gates).passed


def test_judge_everything_invalid_fails_every_gate() -> None:
    truth = road_scene()
    found = verdict(truth, truth, np.full_like(truth, 255), gates=GATES["fp32"])
    for words in (
        "label agreement is 0.0000%",
        "120000 of 120000 confident",
        "120000 pixels have no answer",
        "mean IoU",
    ):
        assert any(words in failure for failure in found.failures), words
    assert len(found.failures) == 4 + 3  # sky was never there


def test_judge_one_confident_flip_fails_and_a_near_tie_does_not() -> None:
    truth, worse = road_scene(), road_scene()
    worse[50, 50] = 1
    maps = truth, truth, worse
    failures = verdict(*maps, gates=GATES["fp32"]).failures
    assert failures == (
        f"12 of 120000 confident pixels flipped, agreement {1 - 1e-4:.4%}, at least 100.000% is needed",
    )
    found = verdict(*maps, gates=GATES["fp32"], margin=0.0)
    assert found.passed
    assert any("every pixel is a near tie" in text for text in found.not_proven)


def test_judge_without_a_truth_compares_classes_with_the_reference() -> None:
    truth, worse = road_scene(), road_scene()
    worse[5, :2] = 0
    found = verdict(None, truth, worse)
    unlike = 1 - jaccard_score(truth.ravel() == 2, worse.ravel() == 2)
    limit = 1 - GATES["fp32"].class_likeness
    assert found.failures == (
        f"human: IoU with the trained network's labels is short of 1 by {unlike:.4f}, at most {limit:.4g} is allowed",
    )
    assert found.not_proven[0].startswith("no frame has a truth")
    assert verdict(None, truth, truth).passed


def test_judge_int8_on_99_frames_fails() -> None:
    truth = road_scene()[:10, :10]
    for frames, failures in ((99, ("proven on 99 frames, at least 100 are needed",)), (100, ())):
        found = judge(measured(truth, truth, truth, frames=frames), CLASSES, GATES["int8"], "int8")
        assert found.failures == failures


def test_judge_mean_that_other_frames_might_fail_is_not_proven() -> None:
    comparison = Comparison(class_count=4, near_tie=0.0)
    truth, worse = road_scene(), road_scene()
    worse[5, :60] = 0
    for index in range(40):
        comparison.add(str(index), truth, truth, worse if index == 0 else truth, np.ones(truth.shape))
    gates = with_overrides("fp32", {"agreement": 0.9, "confident_agreement": 0.9, "mean_iou_drop": 0.007})
    found = judge(comparison.result(), CLASSES, gates, "fp32")
    assert not any("mean IoU" in failure for failure in found.failures)
    assert any("other frames might show" in text for text in found.not_proven)


def test_judge_says_where_the_trained_network_itself_has_no_answer() -> None:
    truth, broken = road_scene(), road_scene()
    broken[9, 9] = 255
    assert "the trained network itself has no answer on 12 pixels" in verdict(truth, broken, broken).not_proven


def test_judge_nan_anywhere_fails() -> None:
    result = measured(road_scene(), road_scene(), road_scene())
    nothing = replace(result, everywhere=Share())
    assert "label agreement is nan%" in judge(nothing, CLASSES, GATES["fp32"], "fp32").failures[0]
    drop = replace(result.truth, drop=replace(result.truth.drop, drop=math.nan))
    assert "mean IoU fell by nan" in judge(replace(result, truth=drop), CLASSES, GATES["fp32"], "fp32").failures[0]


def test_judge_single_frame_says_nothing_of_others() -> None:
    truth = road_scene()
    found = verdict(truth, truth, truth, frames=1)
    assert "mean IoU fell by 0.0000 on a single frame, which says nothing of others" in found.not_proven
    assert not any("nan" in text for text in found.not_proven)


def test_judge_truth_that_is_ignored_everywhere_is_no_failure() -> None:
    labels = road_scene()
    found = verdict(np.full_like(labels, 255), labels, labels, gates=GATES["fp32"])
    assert found.passed
    assert any("no frame has a truth" in text for text in found.not_proven)
