"""Which pixels are near ties, and which lie along a border: where harmless differences gather. Numpy only."""

import numpy as np
from numpy.typing import NDArray

BAND_PX = 3
"""How far from a border a pixel still belongs to the boundary band."""


def boundary_band(labels_hw: NDArray[np.uint8], reach_px: int = BAND_PX) -> NDArray[np.bool_]:
    """Where another label stands at most `reach_px` away, in the chessboard's measure.

    Args:
        labels_hw: uint8 [H,W].
        reach_px: 1 or more.

    Returns:
        bool [H,W].
    """
    largest = smallest = labels_hw
    for axis in (0, 1):  # the square window is a column of rows
        padding = [(reach_px, reach_px) if side == axis else (0, 0) for side in (0, 1)]
        size = labels_hw.shape[axis]
        high, low = np.pad(largest, padding, mode="edge"), np.pad(smallest, padding, mode="edge")
        for step in range(2 * reach_px + 1):
            window = (slice(None),) * axis + (slice(step, step + size),)
            largest, smallest = np.maximum(largest, high[window]), np.minimum(smallest, low[window])
    return largest != smallest


def margins(logits_chw: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far the winning logit is ahead of the second, in spreads of the frame's logits.

    A network with twice the logits has the same margins, so one threshold serves all networks.

    Args:
        logits_chw: float [C,H,W].

    Returns:
        float32 [H,W], 0 or more; infinite for a single class, NaN where a logit is not finite, 0 where all are equal.
    """
    finite_hw = np.isfinite(logits_chw).all(axis=0)
    # class by class: at a camera's size, one more array of all logits is hundreds of megabytes
    first = np.full(finite_hw.shape, -np.inf)
    second = first.copy()
    for logit_hw in logits_chw:
        finite_logit_hw = np.where(finite_hw, logit_hw, 0.0)
        np.maximum(second, np.minimum(first, finite_logit_hw), out=second)
        np.maximum(first, finite_logit_hw, out=first)
    lead, unit = first - second, spread(logits_chw)
    if len(logits_chw) > 1:
        lead = lead / unit if unit > 0 else np.zeros_like(lead)
    return np.where(finite_hw, lead, np.nan).astype(np.float32)


def spread(logits_chw: NDArray[np.floating]) -> float:
    """The unit that margins and errors of logits are given in: what a frame's logits vary by.

    The standard deviation of all logits of the frame, each pixel's mean taken off, since softmax does not see it.

    Args:
        logits_chw: float [C,H,W]; pixels with a logit that is not finite are left out.

    Returns:
        0 or more; 0 where no pixel is left.
    """
    finite_hw = np.isfinite(logits_chw).all(axis=0)
    inside = logits_chw if finite_hw.all() else logits_chw[:, finite_hw]
    if not inside.size:
        return 0.0
    mean = inside.mean(axis=0, dtype=np.float64)
    squares = sum(float(np.square(logit - mean).sum()) for logit in inside)  # class by class, see `margins`
    return float(np.sqrt(squares / inside.size))
