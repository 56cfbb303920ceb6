"""By how much the mean IoU fell, and how sure that is: a bootstrap over frames. Numpy only.

Frames are drawn, not pixels: neighbouring pixels are anything but independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
_SEED = 0x5E67


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A drop of the mean IoU.

    Attributes:
        drop: over all frames; below 0 where the candidate is better; NaN where no class is in both.
        low: lower end of the 95 % interval; NaN for a single frame, which says nothing of others.
        high: upper end.
    """

    drop: float
    low: float
    high: float


def mean_iou_drop(before: NDArray[np.int64], after: NDArray[np.int64]) -> Interval:
    """The drop with its interval: percentiles of 1,000 draws, always the same, of as many frames.

    Efron, B., Tibshirani, R., An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        before: int64 [F,C,C+1], a confusion matrix for each frame.
        after: likewise, of the same frames.
    """
    parts = _parts(before), _parts(after)
    frames = len(before)
    drop = float(_drops(*parts, np.ones((1, frames)))[0])
    if frames < 2:
        return Interval(drop=drop, low=float("nan"), high=float("nan"))
    times_drawn = np.random.default_rng(_SEED).multinomial(frames, np.full(frames, 1 / frames), RESAMPLES)
    drawn = _drops(*parts, times_drawn.astype(np.float64))
    drawn = drawn[~np.isnan(drawn)]  # a draw may hold no frame with a class in it
    if not len(drawn):
        return Interval(drop=drop, low=float("nan"), high=float("nan"))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Interval(drop=drop, low=low, high=high)


def _parts(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """[F,C,C+1] -> [F,2,C]: right pixels, and pixels in truth or prediction."""
    right = np.diagonal(confusions, axis1=1, axis2=2)
    union = confusions.sum(axis=2) + confusions[:, :, :-1].sum(axis=1) - right
    return np.stack([right, union], axis=1).astype(np.float64)


def _drops(
    before: NDArray[np.float64], after: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Drop of the mean IoU for each row of weights [R,F]; NaN where no class is in both."""
    right_before, union_before = np.moveaxis(np.tensordot(weights, before, axes=1), 1, 0)  # [R,C] each
    right_after, union_after = np.moveaxis(np.tensordot(weights, after, axes=1), 1, 0)
    both = (union_before > 0) & (union_after > 0)
    fall = np.zeros_like(right_before)
    np.divide(right_before, union_before, out=fall, where=both)
    fall -= np.divide(right_after, union_after, out=np.zeros_like(fall), where=both)
    classes = both.sum(axis=1)
    return np.divide(fall.sum(axis=1), classes, out=np.full(len(weights), np.nan), where=classes > 0)
