"""IoU and recall of each class for two models on the same frames, and how sure the differences are. Numpy only.

Frames are drawn, not pixels: neighbouring pixels are anything but independent. Both models get the same draws, so what
makes a frame hard for both cancels out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.proof.resample import LEVEL, RESAMPLES
from runtime.metrics import Counts

_DRAWS_AT_ONCE = 100  # their weights are draws x frames: 100 of 50,000 frames are 40 MB

Rates = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A score of both models; each number is NaN where it can't be known.

    Attributes:
        old: of the old model, 0 to 1.
        new: of the new model.
        change: new less old; below 0 where the new model is worse.
        low: lower end of the 95 % interval of the change; NaN for a single frame, which says nothing of others.
        high: upper end.
    """

    old: float
    new: float
    change: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What two models score on one split.

    Attributes:
        iou: of each class; NaN for a class that neither truth nor prediction has.
        recall: of each class; NaN for a class that the truth does not have.
        mean_iou: over the classes of which both models have an IoU.
    """

    iou: tuple[Difference, ...]
    recall: tuple[Difference, ...]
    mean_iou: Difference


def class_counts(confusion: Counts) -> Counts:
    """What IoU and recall of a frame need of its confusion matrix, so that thousands of frames can be kept.

    Args:
        confusion: int64 [C, C + 1], as `confusion_matrix` gives it.

    Returns:
        int64 [3, C]: pixels that are right, pixels of the class in the truth, and in the prediction.
    """
    return np.stack([np.diagonal(confusion), confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)])


def differences(old: Counts, new: Counts, seed: int = 0) -> Differences:
    """Scores both models over all frames; intervals are percentiles of 1,000 draws of as many frames.

    A draw without a class says nothing of that class. Efron, B., Tibshirani, R., An Introduction to the Bootstrap,
    1993, chapter 13.

    Args:
        old: int64 [F, 3, C], `class_counts` of each frame; F at least 1.
        new: likewise, of the same frames.
        seed: of the draws.
    """
    frames = len(old)
    random = np.random.default_rng(seed)
    before, after, change = _scored(old, new, np.ones((1, frames)))[:, 0]
    drawn = np.empty((0, len(change)))
    if frames > 1:
        blocks = (
            random.multinomial(frames, np.full(frames, 1 / frames), _DRAWS_AT_ONCE).astype(np.float64)
            for _ in range(RESAMPLES // _DRAWS_AT_ONCE)
        )
        drawn = np.concatenate([_scored(old, new, times_drawn)[2] for times_drawn in blocks])
    made = []
    for column in range(len(change)):
        low, high = _interval(drawn[:, column])
        was, became, changed = (float(each[column]) for each in (before, after, change))
        made.append(Difference(old=was, new=became, change=changed, low=low, high=high))
    classes = old.shape[2]
    return Differences(iou=tuple(made[:classes]), recall=tuple(made[classes:-1]), mean_iou=made[-1])


def _scored(old: Counts, new: Counts, weights: Rates) -> Rates:
    """Scores of the frames, each counted as often as its weight says.

    Returns:
        float64 [3, R, 2 C + 1] for weights [R, F]: of the old model, of the new one, and the change; IoU of each class,
        recall of each class, mean IoU. NaN where there is none.
    """
    before, after = _rates(old, weights), _rates(new, weights)
    change = after - before
    classes = old.shape[2]
    known = ~np.isnan(change[:, :classes])
    count = known.sum(axis=1)
    scored = []
    for rates in (before, after, change):
        total = np.where(known, rates[:, :classes], 0.0).sum(axis=1)
        mean = np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)
        scored.append(np.column_stack([rates, mean]))
    return np.stack(scored)


def _rates(counts: Counts, weights: Rates) -> Rates:
    """IoU and recall side by side, float64 [R, 2 C]."""
    right, in_truth, in_prediction = np.moveaxis(np.tensordot(weights, counts.astype(np.float64), axes=1), 1, 0)
    union = in_truth + in_prediction - right
    wholes = np.concatenate([union, in_truth], axis=1)
    rights = np.concatenate([right, right], axis=1)
    return np.divide(rights, wholes, out=np.full(wholes.shape, np.nan), where=wholes > 0)


def _interval(drawn: Rates) -> tuple[float, float]:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high
