"""IoU, recall and their intervals against scikit-learn, torchmetrics and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import jaccard_score, recall_score
from torchmetrics.functional.classification import multiclass_jaccard_index

from benchmarks.approval.differences import class_counts, differences
from runtime.metrics import confusion_matrix

CLASSES = 4


def predictions(wrong: float, seed: int, frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answers [F,12,12], wrong more often on some frames than on others."""
    truth = np.random.default_rng(9).integers(0, CLASSES, (frames, 12, 12)).astype(np.uint8)
    random = np.random.default_rng(seed)
    flip = random.random(truth.shape) < wrong * random.random((frames, 1, 1))
    return truth, np.where(flip, random.integers(0, CLASSES, truth.shape), truth).astype(np.uint8)


def counted(truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([class_counts(confusion_matrix(t, p, CLASSES)) for t, p in zip(truth, labels, strict=True)])


def test_differences_scores_are_those_of_scikit_learn_and_torchmetrics() -> None:
    truth, old = predictions(0.3, 1)
    _, new = predictions(0.6, 2)
    found = differences(counted(truth, old), counted(truth, new))
    for side, labels in (("old", old), ("new", new)):
        iou = jaccard_score(truth.ravel(), labels.ravel(), average=None)
        recall = recall_score(truth.ravel(), labels.ravel(), average=None)
        assert [getattr(each, side) for each in found.iou] == pytest.approx(iou)
        assert [getattr(each, side) for each in found.recall] == pytest.approx(recall)
        mean = multiclass_jaccard_index(torch.from_numpy(labels), torch.from_numpy(truth), CLASSES)
        assert getattr(found.mean_iou, side) == pytest.approx(float(mean), abs=1e-6)
    assert found.iou[2].change == pytest.approx(found.iou[2].new - found.iou[2].old)
    assert found.mean_iou.change < 0


@pytest.mark.parametrize(("score", "function"), [("iou", jaccard_score), ("recall", recall_score)])
def test_differences_interval_is_what_scipys_paired_bootstrap_finds(score, function) -> None:
    truth, old = predictions(0.3, 1)
    _, new = predictions(0.6, 2)

    def fall(frames: np.ndarray) -> float:
        of_class = {"labels": [1], "average": "macro"}
        after = function(truth[frames].ravel(), new[frames].ravel(), **of_class)
        return after - function(truth[frames].ravel(), old[frames].ravel(), **of_class)

    expected = stats.bootstrap(
        (np.arange(len(truth)),), fall, vectorized=False, n_resamples=300, method="percentile", rng=3
    ).confidence_interval
    found = getattr(differences(counted(truth, old), counted(truth, new)), score)[1]
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.15 * width)
    assert found.high == pytest.approx(expected.high, abs=0.15 * width)
    assert found.low < found.change < found.high


def test_differences_of_equal_models_are_zero_for_sure() -> None:
    counts = counted(*predictions(0.5, 1))
    found = differences(counts, counts)
    assert all((each.change, each.low, each.high) == (0, 0, 0) for each in (*found.iou, *found.recall, found.mean_iou))


def test_differences_with_the_same_seed_are_the_same_and_with_another_nearly() -> None:
    truth, old = predictions(0.3, 1)
    sides = counted(truth, old), counted(*predictions(0.6, 2))
    first, again, other = (differences(*sides, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.iou[0].low != other.iou[0].low
    assert first.iou[0].low == pytest.approx(other.iou[0].low, abs=0.02)


def test_differences_of_one_frame_have_no_interval() -> None:
    found = differences(counted(*predictions(0.3, 1, frames=1)), counted(*predictions(0.6, 2, frames=1)))
    assert not math.isnan(found.iou[0].change)
    assert math.isnan(found.iou[0].low)
    assert math.isnan(found.mean_iou.high)


def test_differences_of_an_absent_class_are_nan_and_left_out_of_the_mean() -> None:
    truth = np.zeros((3, 1, 10), np.uint8)
    stray = truth.copy()
    stray[:, 0, 0] = 1  # of a class that the truth does not have: the new model's IoU of it is 0, the old one has none
    found = differences(counted(truth, truth), counted(truth, stray))
    assert math.isnan(found.iou[1].old)
    assert (found.iou[1].new, math.isnan(found.iou[1].change), math.isnan(found.iou[1].low)) == (0, True, True)
    assert math.isnan(found.recall[1].new)
    assert (found.mean_iou.old, found.mean_iou.new) == (1, pytest.approx(0.9))


def test_class_counts_of_no_valid_answer_count_in_the_truth_alone() -> None:
    truth, labels = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 255, 0, 1]], np.uint8)
    assert class_counts(confusion_matrix(truth, labels, 2)).tolist() == [[1, 0], [2, 1], [2, 0]]
