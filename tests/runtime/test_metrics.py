"""Expected values: by hand, from scikit-learn and from torchmetrics."""

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional.classification as tm

from runtime.errors import DataError, UsageError
from runtime.metrics import confusion_matrix, scores


def random_pair(seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, (40, 50), dtype=np.uint8)
    predicted = np.where(generator.random(truth.shape) < 0.6, truth, generator.integers(0, classes, truth.shape))
    truth[generator.random(truth.shape) < 0.1] = 255
    return truth, predicted.astype(np.uint8)


def test_confusion_matrix_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 255, 7, 0]], np.uint8)
    expected = [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]
    found = confusion_matrix(truth, predicted, 3)
    assert found.dtype == np.int64
    assert found.tolist() == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classes", [2, 7, 19])
def test_confusion_matrix_is_scikit_learns(seed: int, classes: int) -> None:
    truth, predicted = random_pair(seed, classes)
    valid = truth != 255
    expected = sklearn.metrics.confusion_matrix(truth[valid], predicted[valid], labels=range(classes))
    found = confusion_matrix(truth, predicted, classes)
    np.testing.assert_array_equal(found[:, :classes], expected)
    assert not found[:, classes].any()


def test_confusion_matrix_of_a_set_is_the_sum_of_its_frames() -> None:
    pairs = [random_pair(seed, 5) for seed in range(4)]
    total = sum(confusion_matrix(truth, predicted, 5) for truth, predicted in pairs)
    whole = confusion_matrix(np.stack([t for t, _ in pairs]), np.stack([p for _, p in pairs]), 5)
    np.testing.assert_array_equal(total, whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, ">u4"])
def test_confusion_matrix_takes_any_integers(dtype) -> None:
    truth, predicted = random_pair(0, 7)
    np.testing.assert_array_equal(
        confusion_matrix(truth.astype(dtype), predicted.astype(dtype), 7), confusion_matrix(truth, predicted, 7)
    )


@pytest.mark.parametrize("strange", [-1, 2, 254, 255, 1 << 40])
def test_confusion_matrix_prediction_of_no_class_is_wrong_and_not_lost(strange: int) -> None:
    found = confusion_matrix(np.array([1, 1]), np.array([1, strange]), 2)
    assert found.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert scores(found).iou[1] == 0.5


@pytest.mark.parametrize("ignore_id", [-1, 11, 200])
def test_confusion_matrix_other_ignore_id_is_left_out(ignore_id: int) -> None:
    found = confusion_matrix(np.array([0, ignore_id, 1]), np.array([0, 0, 1]), 2, ignore_id)
    assert found.tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("truth", "predicted", "problem"),
    [
        (
            np.array([[0, 9, 9]]),
            np.array([[0, 0, 0]]),
            r"truth: expected labels 0 to 6 or 255, got 9 \(2 such pixels of 3",
        ),
        (np.array([0, -3]), np.array([0, 0]), "truth: expected labels 0 to 6 or 255, got -3"),
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"the truth's shape \[2, 3\], got \[3, 2\]"),
        (np.zeros(3), np.zeros(3, int), "truth: expected an array of whole numbers, got float64 values"),
        (np.zeros(3, int), np.zeros(3, bool), "predicted: expected an array of whole numbers, got bool values"),
        ([0, 1], np.zeros(2, int), "truth: expected an array of whole numbers, got list"),
    ],
)
def test_confusion_matrix_of_no_labels_is_refused(truth, predicted, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        confusion_matrix(truth, predicted, 7)


@pytest.mark.parametrize(
    ("class_count", "ignore_id", "problem"),
    [(0, 255, "got 0"), (256, 255, "got 256"), (2.0, 255, "got 2.0"), (7, 3, "0 to 6\\), got 3")],
)
def test_confusion_matrix_arguments_out_of_range_are_refused(class_count, ignore_id: int, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        confusion_matrix(np.zeros(2, int), np.zeros(2, int), class_count, ignore_id)


def test_scores_by_hand() -> None:
    # class 0: TP 3, FP 1, FN 1; class 1: TP 2, FP 1, FN 2 (one of them no answer); class 2 absent
    found = scores(np.array([[3, 1, 0, 0], [1, 2, 0, 1], [0, 0, 0, 0]]))
    np.testing.assert_allclose(found.iou, [3 / 5, 2 / 5, np.nan])
    np.testing.assert_allclose(found.dice, [6 / 8, 4 / 7, np.nan])
    np.testing.assert_allclose(found.accuracy, [3 / 4, 2 / 4, np.nan])
    assert found.mean_iou == pytest.approx(0.5)
    assert found.mean_dice == pytest.approx((6 / 8 + 4 / 7) / 2)
    assert found.pixel_accuracy == pytest.approx(5 / 8)
    assert (found.averaged_classes, found.pixels) == (2, 8)


def test_scores_class_only_predicted_counts_as_zero() -> None:
    found = scores(np.array([[3, 1, 0], [0, 0, 0]]))
    assert found.iou.tolist() == [0.75, 0.0]
    assert np.isnan(found.accuracy[1])
    assert (found.mean_iou, found.averaged_classes) == (0.375, 2)


def test_scores_of_no_pixel_are_nan_without_a_warning() -> None:
    found = scores(np.zeros((3, 4), np.int64))
    assert np.isnan([*found.iou, *found.dice, *found.accuracy, found.mean_iou, found.mean_dice]).all()
    assert np.isnan(found.pixel_accuracy)
    assert (found.averaged_classes, found.pixels) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scikit_learns_and_torchmetrics(seed: int) -> None:
    truth, predicted = random_pair(seed, 6)  # class 5 of 7 is the last that occurs: 6 is absent
    found = scores(confusion_matrix(truth, predicted, 7))
    valid = truth != 255
    t, p, present = truth[valid], predicted[valid], range(6)
    np.testing.assert_allclose(found.iou[:6], sklearn.metrics.jaccard_score(t, p, labels=present, average=None))
    np.testing.assert_allclose(found.dice[:6], sklearn.metrics.f1_score(t, p, labels=present, average=None))
    np.testing.assert_allclose(found.accuracy[:6], sklearn.metrics.recall_score(t, p, labels=present, average=None))
    assert found.pixel_accuracy == pytest.approx(sklearn.metrics.accuracy_score(t, p))
    assert np.isnan(found.iou[6])
    assert found.averaged_classes == 6
    tensors = torch.from_numpy(predicted.astype(np.int64)), torch.from_numpy(truth.astype(np.int64))
    mean_iou = tm.multiclass_jaccard_index(*tensors, num_classes=6, ignore_index=255)
    assert found.mean_iou == pytest.approx(mean_iou.item(), rel=1e-6)


def test_scores_of_more_pixels_than_32_bits_count_are_right() -> None:
    found = scores(np.array([[3 << 40, 1 << 40]]))
    assert (found.iou[0], found.pixels) == (0.75, 1 << 42)


@pytest.mark.parametrize(
    ("confusion", "problem"),
    [
        (np.zeros((3, 3), int), r"got shape \[3, 3\]"),
        (np.zeros(4, int), r"got shape \[4\]"),
        (np.array([[1, -1]]), r"got shape \[1, 2\] with a count below 0"),
        (np.zeros((2, 3)), "got float64"),
        ([[1, 0]], "got list"),
    ],
)
def test_scores_of_no_confusion_matrix_are_refused(confusion, problem: str) -> None:
    with pytest.raises(DataError, match=f"confusion: expected .*{problem}"):
        scores(confusion)
