"""How much longer one series of times is than another that was measured beside it, with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError

RESAMPLES = 2000
CONFIDENCE = 0.95
_AT_ONCE = 100  # resamples in memory; each as large as the series


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A ratio of medians; over 1 where the peer takes longer.

    Attributes:
        median: of the peer's times over ours.
        low: lower end of the interval.
        high: upper end of it.
    """

    median: float
    low: float
    high: float


def paired_ratio(
    peer_ms: NDArray[np.float64], ours_ms: NDArray[np.float64], *, seed: int, resamples: int = RESAMPLES
) -> Ratio:
    """Median of the peer's times over the median of ours, with a 95 % interval.

    Percentile bootstrap over whole rounds (Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13):
    what disturbs the machine lasts longer than a call, so single calls are not independent, and a round disturbs both.

    Args:
        peer_ms: float64 [rounds, calls].
        ours_ms: float64 [rounds, calls], round by round beside the peer's.
        seed: of the resampling.
        resamples: B.

    Raises:
        UsageError: other shapes, or fewer than 2 rounds, of which nothing can be told.
    """
    if peer_ms.ndim != 2 or peer_ms.shape[0] != ours_ms.shape[0] or len(peer_ms) < 2:
        raise UsageError(
            f"a ratio needs 2 rounds or more of both, got times of shape {peer_ms.shape} and {ours_ms.shape}; "
            "measure more rounds"
        )
    generator = np.random.default_rng(seed)
    rounds = generator.integers(0, len(peer_ms), (resamples, len(peer_ms)))
    ratios = np.concatenate(
        [
            np.median(peer_ms[some], axis=(1, 2)) / np.median(ours_ms[some], axis=(1, 2))
            for some in np.array_split(rounds, -(-resamples // _AT_ONCE))
        ]
    )
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Ratio(median=float(np.median(peer_ms) / np.median(ours_ms)), low=float(low), high=float(high))
