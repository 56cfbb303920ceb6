"""What the frames of a replay took, collected as they end."""

from array import array
from collections import deque

import numpy as np
import numpy.typing as npt

from benchmarks.percentiles import PERCENTS, percentile, samples_needed
from runtime.stream.result import Outcome, StreamResult

RECENT = 1000  # frames behind the live line's percentiles: enough for p99


class Tally:
    """Ages and latencies of the frames that were answered, in time or late, and the first reason of each other end.

    Attributes:
        answered: frames with an answer.
        missed: frames without one in time, other than those dropped for a newer one.
        dropped: those.
        reasons: by outcome, why the first such frame had no answer.
    """

    def __init__(self) -> None:
        self.answered, self.missed, self.dropped = 0, 0, 0
        self.reasons: dict[Outcome, str] = {}
        self._ages_ms, self._latencies_ms = array("d"), array("d")
        self._recent_ages_ms: deque[float] = deque(maxlen=RECENT)

    def add(self, result: StreamResult) -> None:
        """Takes in a frame's end. Called in one thread."""
        if result.outcome is Outcome.DROPPED:
            self.dropped += 1
        elif result.outcome is not Outcome.OK:
            self.missed += 1
        if result.reason:
            self.reasons.setdefault(result.outcome, result.reason)
        if result.outcome in (Outcome.OK, Outcome.LATE):
            self.answered += 1
            self._ages_ms.append(result.age_ms)
            self._recent_ages_ms.append(result.age_ms)
            if result.latency_ms is not None:
                self._latencies_ms.append(result.latency_ms)

    def recent_ages_ms(self) -> npt.NDArray[np.float64]:
        """Ages of the last answers, at most `RECENT`; may be called in any thread."""
        return np.array(self._recent_ages_ms.copy(), dtype=np.float64)  # copied in one step: `add` goes on meanwhile

    def ages_ms(self) -> npt.NDArray[np.float64]:
        """Float64 [answered]: each answer's age when it was there, in the order of the answers."""
        return np.array(self._ages_ms, dtype=np.float64)

    def latencies_ms(self) -> npt.NDArray[np.float64]:
        """Float64 [answered]: the run of each answer."""
        return np.array(self._latencies_ms, dtype=np.float64)


def time_summary(samples_ms: npt.NDArray[np.float64]) -> dict[str, object]:
    """Summarises times as a JSON object; null where there are no samples, or not enough for that percentile.

    Args:
        samples_ms: float64 [N], N from 0, milliseconds.

    Returns:
        frames, min, mean, p50, p90, p99, p99.9, max; and `needs`, the frames that each withheld percentile takes.
    """
    percentiles = {f"p{percent}": percentile(samples_ms, percent) for percent in PERCENTS}
    some = len(samples_ms) > 0
    return {
        "frames": len(samples_ms),
        "min": float(samples_ms.min()) if some else None,
        "mean": float(samples_ms.mean()) if some else None,
        **percentiles,
        "max": float(samples_ms.max()) if some else None,
        "needs": {f"p{each}": samples_needed(each) for each in PERCENTS if percentiles[f"p{each}"] is None},
    }
