"""Segmentation scores from one confusion matrix of the whole set; used by training, export, evaluation and bench alike.

A pixel whose truth is the ignore id does not count. On every other pixel a prediction of 255 ("no valid answer"), or of
any id that is no class, counts as wrong: it takes from the class that stands there and adds to none.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import DataError, UsageError
from .spec import IGNORE_ID

Counts = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]
_MAX_CLASSES = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of a confusion matrix, each 0 to 1.

    Attributes:
        iou: float64 [C]; TP / (TP + FP + FN); NaN for a class that is absent from both truth and prediction.
        dice: float64 [C]; 2 TP / (2 TP + FP + FN); NaN in the same places.
        accuracy: float64 [C]; TP / (TP + FN), the recall; NaN for a class that is absent from the truth.
        mean_iou: mean of `iou` over the classes that are not NaN; NaN where all are.
        mean_dice: mean of `dice` over the same classes.
        pixel_accuracy: share of the counted pixels that are right; NaN where there are none.
        averaged_classes: how many classes the means are taken over.
        pixels: how many pixels were counted (those whose truth is a class).
    """

    iou: Rates
    dice: Rates
    accuracy: Rates
    mean_iou: float
    mean_dice: float
    pixel_accuracy: float
    averaged_classes: int
    pixels: int


def confusion_matrix(truth_hw: Labels, predicted_hw: Labels, class_count: int, ignore_id: int = IGNORE_ID) -> Counts:
    """Counts truth against prediction. Matrices of several frames add up to the matrix of all of them.

    >>> import numpy as np
    >>> from segtool_runtime import confusion_matrix
    >>> truth = np.array([[0, 0, 1], [1, 1, 255]], np.uint8)
    >>> predicted = np.array([[0, 1, 1], [1, 255, 0]], np.uint8)
    >>> confusion_matrix(truth, predicted, class_count=2).tolist()
    [[1, 1, 0], [0, 2, 1]]

    Args:
        truth_hw: integer labels [H, W], or any other shape; 0 to class_count - 1, or ignore_id.
        predicted_hw: integer labels of the same shape; any value.
        class_count: C, 1 to 255.
        ignore_id: truth pixels of this value are left out; no class.

    Returns:
        int64 [C, C + 1]: a row for each class of the truth, a column for each predicted class; the last column counts
        what was predicted as no class.

    Raises:
        DataError: shapes differ, values are not whole numbers, or a truth label is no class.
        UsageError: class_count or ignore_id out of range.
    """
    _check_labels(truth_hw, predicted_hw, class_count, ignore_id)
    counted = truth_hw != ignore_id
    truth = truth_hw[counted].astype(np.int64)
    predicted = predicted_hw[counted].astype(np.int64)
    wrong = (truth < 0) | (truth >= class_count)
    if np.any(wrong):
        raise DataError(
            f"truth: expected labels 0 to {class_count - 1} or {ignore_id}, got {truth[wrong][0]} "
            f"({np.count_nonzero(wrong)} such pixels of {truth_hw.size}); check the data set's label space"
        )
    predicted[(predicted < 0) | (predicted > class_count)] = class_count
    cells = np.bincount(truth * (class_count + 1) + predicted, minlength=class_count * (class_count + 1))
    return cells.reshape(class_count, class_count + 1).astype(np.int64)


def scores(confusion: Counts) -> Scores:
    """Works out every score of a confusion matrix.

    >>> import numpy as np
    >>> from segtool_runtime import scores
    >>> result = scores(np.array([[1, 1, 0], [0, 2, 1]]))
    >>> result.iou.tolist(), result.mean_iou, result.pixel_accuracy
    ([0.5, 0.5], 0.5, 0.6)

    Args:
        confusion: whole numbers [C, C + 1] as `confusion_matrix` gives them, or a sum of several.

    Raises:
        DataError: not such a matrix.
    """
    if not isinstance(confusion, np.ndarray) or not np.issubdtype(confusion.dtype, np.integer):
        kind = confusion.dtype if isinstance(confusion, np.ndarray) else type(confusion).__name__
        raise DataError(f"confusion: expected an integer array [C, C + 1], got {kind}; sum up confusion_matrix results")
    if confusion.ndim != 2 or confusion.shape[1] != confusion.shape[0] + 1 or np.any(confusion < 0):
        raise DataError(
            f"confusion: expected counts [C, C + 1], got shape {list(confusion.shape)}"
            f"{' with a count below 0' if np.any(confusion < 0) else ''}; sum up confusion_matrix results"
        )
    class_count = len(confusion)
    right = np.diagonal(confusion).astype(np.float64)
    in_truth = confusion.sum(axis=1).astype(np.float64)  # TP + FN; "no class" is in it
    in_prediction = confusion[:, :class_count].sum(axis=0).astype(np.float64)  # TP + FP
    iou = _ratio(right, in_truth + in_prediction - right)
    dice = _ratio(2 * right, in_truth + in_prediction)
    pixels = int(confusion.sum())
    return Scores(
        iou=iou,
        dice=dice,
        accuracy=_ratio(right, in_truth),
        mean_iou=_mean(iou),
        mean_dice=_mean(dice),
        pixel_accuracy=float(right.sum()) / pixels if pixels else float("nan"),
        averaged_classes=int(np.count_nonzero(~np.isnan(iou))),
        pixels=pixels,
    )


def _check_labels(truth: Labels, predicted: Labels, class_count: int, ignore_id: int) -> None:
    if type(class_count) is not int or not 1 <= class_count <= _MAX_CLASSES:
        raise UsageError(f"class_count: expected 1 to {_MAX_CLASSES}, got {class_count!r}")
    if 0 <= ignore_id < class_count:
        raise UsageError(f"ignore_id: expected an id that is no class (0 to {class_count - 1}), got {ignore_id}")
    for name, labels in (("truth", truth), ("predicted", predicted)):
        if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer):
            kind = f"{labels.dtype} values" if isinstance(labels, np.ndarray) else type(labels).__name__
            raise DataError(f"{name}: expected an array of whole numbers, got {kind}; give label ids, not colours")
    if truth.shape != predicted.shape:
        raise DataError(
            f"predicted: expected the truth's shape {list(truth.shape)}, got {list(predicted.shape)}; "
            "compare both at one size"
        )


def _ratio(part: Rates, whole: Rates) -> Rates:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _mean(rates: Rates) -> float:
    present = rates[~np.isnan(rates)]
    return float(present.mean()) if len(present) else float("nan")
