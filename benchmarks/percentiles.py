"""Percentiles of latencies, each only where there are samples enough to believe it.

The count comes from MLPerf LoadGen's early stopping (mlcommons/inference, loadgen/early_stopping.cc): n samples, t of
them above a limit, show with confidence c that the share above the limit is below 1 - p only where
P[Binomial(n, 1 - p) <= t] <= 1 - c. Its estimate of a percentile needs a t of at least 1; c is 0.99.
"""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError

CONFIDENCE = Fraction("0.99")
PERCENTS = ("50", "90", "99", "99.9")  # as text: 99.9 has no exact binary form


@lru_cache
def samples_needed(percent: str) -> int:
    """Returns the smallest number of samples that says anything about a percentile.

    That is the smallest n for which the true percentile lies, with 99 % confidence, at or below the slowest sample but
    one: P[Binomial(n, 1 - p) <= 1] = p^n + n (1 - p) p^(n - 1) <= 0.01. It gives 11, 64, 662 and 6636 for p50, p90, p99
    and p99.9; the last three are the counts that MLPerf names.

    Args:
        percent: in (0, 100), as a decimal number: "50", "99.9".

    Raises:
        UsageError: the percent is not a number in (0, 100).
    """
    below = float(_share(percent))
    above = 1.0 - below
    count = 2
    while math.exp((count - 1) * math.log(below)) * (below + count * above) > 1 - CONFIDENCE:
        count += 1
    return count


def percentile(samples_ms: npt.NDArray[np.float64], percent: str) -> float | None:
    """Returns a percentile as the nearest rank: a latency that really was measured, never a mean of two.

    Args:
        samples_ms: float64 [N], milliseconds, in any order.
        percent: in (0, 100), as a decimal number.

    Returns:
        The smallest sample that at least `percent` of all samples do not exceed, in milliseconds; None where there are
        fewer samples than `samples_needed(percent)`.

    Raises:
        UsageError: the percent is not a number in (0, 100).
    """
    if len(samples_ms) < samples_needed(percent):
        return None
    rank = math.ceil(_share(percent) * len(samples_ms))  # exact: a float product would land a rank too high at times
    return float(np.sort(samples_ms)[rank - 1])


def early_stopping_estimate(samples_ms: npt.NDArray[np.float64], percent: str) -> float | None:
    """Returns MLPerf's early-stopping estimate of a percentile: 99 % confident that the true one is no higher.

    With t the largest number for which P[Binomial(n, 1 - p) <= t] <= 0.01 it is the slowest sample but t - 1, as
    PerformanceSummary::EarlyStopping in mlcommons/inference, loadgen/results.cc, has it: those t samples are not below
    it, and t of n are still few enough. It lies above `percentile`, and comes down to it as samples are added.

    Args:
        samples_ms: float64 [N], milliseconds, in any order.
        percent: in (0, 100), as a decimal number.

    Returns:
        A latency that was measured, milliseconds; None where there are fewer samples than `samples_needed(percent)`.

    Raises:
        UsageError: the percent is not a number in (0, 100).
    """
    if len(samples_ms) < samples_needed(percent):
        return None
    return float(np.sort(samples_ms)[-_most_over(len(samples_ms), percent)])


@lru_cache
def _most_over(count: int, percent: str) -> int:
    """The largest t with P[Binomial(count, 1 - p) <= t] <= 0.01, at least 1 where there are samples enough."""
    below = float(_share(percent))
    over = np.arange(1, count + 1)
    log_ratios = np.log(count - over + 1) - np.log(over) + math.log1p(-below) - math.log(below)
    log_terms = count * math.log(below) + np.concatenate([[0.0], np.cumsum(log_ratios)])
    return int(np.searchsorted(np.cumsum(np.exp(log_terms)), float(1 - CONFIDENCE), side="right")) - 1


def _share(percent: str) -> Fraction:
    try:
        share = Fraction(percent) / 100
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"a percentile was expected as a number like 99.9, got {percent!r}; correct it") from error
    if not 0 < share < 1:
        raise UsageError(f"a percentile was expected between 0 and 100, got {percent!r}; correct it")
    return share
