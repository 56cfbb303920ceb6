import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import jaccard_score

from export.proof.resample import mean_iou_drop
from runtime.metrics import confusion_matrix, scores


def frames(count: int, wrong: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list, list, list]:
    """Confusions of a perfect reference and of a candidate that is wrong on some pixels, more on some frames."""
    random = np.random.default_rng(seed)
    truths, worse = [], []
    for _ in range(count):
        truth = random.integers(0, 3, (20, 20)).astype(np.uint8)
        flip = random.random(truth.shape) < wrong * random.random()
        truths.append(truth)
        worse.append(np.where(flip, (truth + 1) % 3, truth).astype(np.uint8))
    before = np.stack([confusion_matrix(t, t, 3) for t in truths])
    after = np.stack([confusion_matrix(t, w, 3) for t, w in zip(truths, worse, strict=True)])
    return before, after, truths, worse


def test_mean_iou_drop_is_sklearns() -> None:
    before, after, truths, worse = frames(6, 0.3)
    truth, answer = np.concatenate(truths).ravel(), np.concatenate(worse).ravel()
    assert mean_iou_drop(before, after).drop == pytest.approx(1 - jaccard_score(truth, answer, average="macro"))


def test_mean_iou_drop_interval_is_what_scipys_bootstrap_finds() -> None:
    before, after, _, _ = frames(40, 0.3)

    def drop(indices: np.ndarray) -> float:
        return scores(before[indices].sum(0)).mean_iou - scores(after[indices].sum(0)).mean_iou

    indices = np.arange(40)
    found = mean_iou_drop(before, after)
    expected = stats.bootstrap(
        (indices,), drop, vectorized=False, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.08 * width)
    assert found.high == pytest.approx(expected.high, abs=0.08 * width)
    assert found.low < found.drop < found.high


def test_mean_iou_drop_twice_is_the_same() -> None:
    before, after, _, _ = frames(10, 0.2)
    assert mean_iou_drop(before, after) == mean_iou_drop(before, after)


def test_mean_iou_drop_of_one_frame_has_no_interval() -> None:
    before, after, _, _ = frames(1, 0.2)
    found = mean_iou_drop(before, after)
    assert found.drop > 0
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_mean_iou_drop_leaves_out_a_class_that_one_side_does_not_have() -> None:
    truth = np.zeros((1, 10), np.uint8)
    stray = truth.copy()
    stray[0, 0] = 1
    before, after = (np.stack([confusion_matrix(truth, labels, 3)] * 2) for labels in (stray, truth))
    assert mean_iou_drop(before, after).drop == pytest.approx(0.9 - 1.0)


def test_mean_iou_drop_without_a_valid_pixel_is_nan() -> None:
    nothing = np.zeros((3, 2, 3), np.int64)
    assert math.isnan(mean_iou_drop(nothing, nothing).drop)
    assert math.isnan(mean_iou_drop(nothing, nothing).high)
