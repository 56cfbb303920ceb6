"""Scores by the size of objects: whether a change helps the small ones, which a class's one IoU does not tell.

Numpy only. An object is a connected region of one class in the truth (neighbours in all eight directions). Label maps
know no instances: cars that touch are one object here, and a large stretch of road is one too.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError, UsageError
from runtime.spec import IGNORE_ID

SIZE_NAMES = ("small", "medium", "large")
# COCO's 32x32 and 96x96 pixels as shares of its usual 640x480, so that they mean the same at every resolution:
# 55 and 492 pixels at 128x128
SIZE_LIMITS = (1 / 300, 3 / 100)
HIT, MISSED, FALSE, OBJECTS = range(4)


@dataclass(frozen=True, kw_only=True, eq=False)
class SizeScores:
    """Scores per size and class, each float64 [S,C].

    Attributes:
        recall: share of the pixels of objects of that size that are found; NaN where there are none.
        iou: hit / (hit + missed + false); NaN where all three are 0.
        objects: int64, how many objects there are in the truth.
        pixels: int64, how many pixels they have.
    """

    recall: NDArray[np.float64]
    iou: NDArray[np.float64]
    objects: NDArray[np.int64]
    pixels: NDArray[np.int64]


def count_by_size(
    truth_nhw: NDArray[np.integer],
    predicted_nhw: NDArray[np.integer],
    class_count: int,
    limits: tuple[float, ...] = SIZE_LIMITS,
) -> NDArray[np.int64]:
    """Counts hits and misses by the size of the object; the counts of several batches add up.

    A truth pixel belongs to the size of its object. A false one, which no object of its class covers, belongs to the
    size of the object that its predicted region covers most of, and where it covers none, to the size of the region
    itself. So the sum over the sizes is what the confusion matrix has: TP, FN and FP of each class.

    Args:
        truth_nhw: labels [N,H,W], 0 to class_count - 1, or 255 for pixels that do not count.
        predicted_nhw: labels [N,H,W]; an id that is no class is wrong, and of no class.
        class_count: C.
        limits: rising shares of the frame's area, each the least that is no longer of the size before.

    Returns:
        int64 [S,C,4] with S = len(limits) + 1: pixels hit, missed, false; objects.

    Raises:
        DataError: shapes differ, or a truth label that is neither a class nor 255.
        UsageError: the limits do not rise from above 0 to 1.
    """
    _check(truth_nhw, predicted_nhw, class_count, limits)
    counts = np.zeros((len(limits) + 1, class_count, 4), np.int64)
    for truth_hw, predicted_hw in zip(truth_nhw, predicted_nhw, strict=True):
        counts += _count_frame(truth_hw, predicted_hw, class_count, limits)
    return counts


def scores_by_size(counts: NDArray[np.int64]) -> SizeScores:
    """Scores of `count_by_size`'s counts [S,C,4], or of a sum of them."""
    hit, missed, false, objects = np.moveaxis(counts, -1, 0)
    pixels = hit + missed
    with np.errstate(invalid="ignore"):  # 0 / 0: nothing there, NaN
        return SizeScores(recall=hit / pixels, iou=hit / (pixels + false), objects=objects, pixels=pixels)


def connected_regions(labels_hw: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers the connected regions of equal labels, neighbours in all eight directions.

    Regions grow from runs along the rows: every touching pair of runs hands on the smaller number until none is left to
    hand on (Shiloach, Vishkin 1982, "An O(log n) parallel connectivity algorithm").

    Args:
        labels_hw: [H,W], any integers.

    Returns:
        int64 [H,W], 0 to the number of regions - 1, in the order of their first pixels.
    """
    starts = np.ones(labels_hw.shape, bool)
    starts[:, 1:] = labels_hw[:, 1:] != labels_hw[:, :-1]
    runs = np.cumsum(starts).reshape(labels_hw.shape) - 1
    pairs = [
        (runs[:-1], runs[1:], labels_hw[:-1] == labels_hw[1:]),
        (runs[:-1, :-1], runs[1:, 1:], labels_hw[:-1, :-1] == labels_hw[1:, 1:]),
        (runs[:-1, 1:], runs[1:, :-1], labels_hw[:-1, 1:] == labels_hw[1:, :-1]),
    ]
    upper = np.concatenate([above[same] for above, _, same in pairs])
    lower = np.concatenate([below[same] for _, below, same in pairs])

    leader = np.arange(int(runs.max(initial=-1)) + 1)
    while np.any(leader[upper] != leader[lower]):
        first, second = leader[upper], leader[lower]
        np.minimum.at(leader, np.maximum(first, second), np.minimum(first, second))
        while np.any(leader[leader] != leader):
            leader = leader[leader]
    _, numbers = np.unique(leader, return_inverse=True)
    return numbers[runs]


def _count_frame(
    truth_hw: NDArray[np.integer], predicted_hw: NDArray[np.integer], class_count: int, limits: tuple[float, ...]
) -> NDArray[np.int64]:
    limits_px = np.array(limits) * truth_hw.size
    counted = truth_hw != IGNORE_ID
    predicted_hw = np.where(counted & (predicted_hw < class_count) & (predicted_hw >= 0), predicted_hw, IGNORE_ID)
    hit = counted & (predicted_hw == truth_hw)
    false = counted & ~hit & (predicted_hw != IGNORE_ID)

    objects, regions = connected_regions(truth_hw), connected_regions(predicted_hw)
    size_of_object = _sizes(objects, limits_px)
    size_of_region = _sizes(regions, limits_px)
    object_count = len(size_of_object)
    meetings, overlap_px = np.unique(regions[hit] * object_count + objects[hit], return_counts=True)
    meetings = meetings[np.argsort(overlap_px, kind="stable")]  # of several values for one place numpy keeps the last
    size_of_region[meetings // object_count] = size_of_object[meetings % object_count]

    counts = np.zeros((len(limits) + 1, class_count, 4), np.int64)
    np.add.at(counts[..., HIT], (size_of_object[objects[hit]], truth_hw[hit]), 1)
    missed = counted & ~hit
    np.add.at(counts[..., MISSED], (size_of_object[objects[missed]], truth_hw[missed]), 1)
    np.add.at(counts[..., FALSE], (size_of_region[regions[false]], predicted_hw[false]), 1)
    _, first = np.unique(objects, return_index=True)
    label_of_object = truth_hw.ravel()[first]
    real = label_of_object != IGNORE_ID
    np.add.at(counts[..., OBJECTS], (size_of_object[real], label_of_object[real]), 1)
    return counts


def _sizes(regions_hw: NDArray[np.int64], limits_px: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each region the number of its size, 0 for the smallest."""
    return np.searchsorted(limits_px, np.bincount(regions_hw.ravel()), side="right")


def _check(
    truth_nhw: NDArray[np.integer], predicted_nhw: NDArray[np.integer], class_count: int, limits: tuple[float, ...]
) -> None:
    if truth_nhw.shape != predicted_nhw.shape or truth_nhw.ndim != 3:
        raise DataError(
            f"expected truth and predicted labels of one shape [N,H,W], got {truth_nhw.shape} and "
            f"{predicted_nhw.shape}; resize the prediction to the truth's size"
        )
    wrong = truth_nhw[(truth_nhw != IGNORE_ID) & ((truth_nhw < 0) | (truth_nhw >= class_count))]
    if wrong.size:
        raise DataError(
            f"expected truth labels from 0 to {class_count - 1} or {IGNORE_ID}, got {int(wrong[0])} on {wrong.size} "
            "pixels; map them to classes first"
        )
    if not all(low < high for low, high in pairwise((0.0, *limits, 1.0))):
        raise UsageError(
            f"the limits of sizes must rise between 0 and 1, got {list(limits)}; the default is 1/300, 3/100"
        )
