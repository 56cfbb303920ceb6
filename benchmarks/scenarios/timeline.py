"""A run's latencies over time, few enough to be drawn. Knows no scenario."""

import numpy as np
import numpy.typing as npt

MOST_POINTS = 1000


def timeline(captured_s: npt.NDArray[np.float64], samples_ms: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    """Thins out a run to `MOST_POINTS`: of each bin the worst frame, so that none that was slow is lost.

    Args:
        captured_s: float64 [N], seconds, in the order of time.
        samples_ms: float64 [N], of the same frames.

    Returns:
        `t_s` and `ms`, of equal length, rounded to a microsecond.
    """
    bins = np.array_split(np.arange(len(samples_ms)), min(len(samples_ms), MOST_POINTS)) if len(samples_ms) else []
    worst = [int(places[samples_ms[places].argmax()]) for places in bins]
    return {
        "t_s": [round(float(captured_s[place]), 6) for place in worst],
        "ms": [round(float(samples_ms[place]), 3) for place in worst],
    }
