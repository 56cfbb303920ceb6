"""Is a file slower than another by more than a limit: the rule, in one place, and how it is told.

The measure is the ratio of median latencies, new over old, with an interval that holds the true ratio in 99 of 100
measurements. Three answers follow, and only the first passes:

    ok          the interval's upper end is at most the limit: a slowdown over it is ruled out
    worse       its lower end is over the limit
    not proven  the limit lies inside: measured too little, or on too restless a machine

So a file that is slower by the limit itself passes in at most 1 of 100 measurements, however noisy they were: noise
makes a measurement prove less, never more (the test of non-inferiority, as in Wellek 2010, Testing Statistical
Hypotheses of Equivalence and Noninferiority, chapter 2). An unchanged file passes where the interval is narrower than
the limit, and `interleaved.py` measures until it is.

What differs from one opening of a file to the next (where its memory happened to lie) and from one run to the next (the
machine's neighbours, its clock) is in no series of latencies, so no interval out of one knows it (Kalibera and Jones
2013, Rigorous Benchmarking in Reasonable Time, ISMM: repeat at the level that varies). Intervals are widened for that:
by `OPENING_DRIFT` where two files took turns, by `RUN_DRIFT` where two runs lie apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.gates.resampling import Series, block_length, resampled_medians
from benchmarks.percentiles import percentile
from runtime.errors import UsageError

MAX_SLOWDOWN = 0.05
CONFIDENCE = 0.99
DRAWS = 4000
LEAST_SAMPLES = 100

# Two Segmenters on one file, in turns in one process (tests/benchmarks/gates/series): over 20 processes their medians
# differ by 0.6 % on average and, where measured well enough to tell, by up to 1.3 %.
OPENING_DRIFT = 0.01

# Of 15 pairs of runs of one file (benchmarks/results, 2026-11-22), 11 differ by up to 6 % at the median, though
# nothing had changed, and four by about a third: on a shared machine a stored baseline proves little.
RUN_DRIFT = 0.06

SLOWDOWN_COLUMNS = ("file", "old median", "new median", "slowdown", f"{CONFIDENCE:.0%} interval", "p99", "verdict")


@dataclass(frozen=True, kw_only=True)
class Slowdown:
    """How much longer a new file takes than an old one; 1.0 is equally long, 1.05 is 5 % slower.

    Attributes:
        how: "interleaved" in one process, or "stored": two runs apart.
        ratio: of the medians, new over old.
        low: end of its interval.
        high: other end.
        old_ms: median latency, milliseconds.
        new_ms: likewise.
        old_count: measured calls.
        new_count: likewise.
        p99_ratio: of the 99th percentiles, as information; None where one of them had too few samples.
    """

    how: str
    ratio: float
    low: float
    high: float
    old_ms: float
    new_ms: float
    old_count: int
    new_count: int
    p99_ratio: float | None

    def verdict(self, max_slowdown: float) -> str:
        """Returns "ok", "worse" or "not proven" for a limit, a share: 0.05 is 5 %."""
        if self.high - 1 <= max_slowdown:
            return "ok"
        return "worse" if self.low - 1 > max_slowdown else "not proven"


def stored_slowdown(old_ms: Series, new_ms: Series, *, drift: float = RUN_DRIFT, seed: int = 0) -> Slowdown:
    """Compares a series with one that was stored earlier: each resampled in blocks, then widened by the drift.

    Args:
        old_ms: float64 [N], above 0, in the order of the run.
        new_ms: float64 [M], likewise.
        drift: how far medians of two runs lie apart on this machine though nothing has changed, a share, 0 or more.
        seed: of the resampling.

    Raises:
        UsageError: fewer than `LEAST_SAMPLES` in a series, or a drift out of range.
    """
    for name, series in (("old", old_ms), ("new", new_ms)):
        if len(series) < LEAST_SAMPLES:
            raise UsageError(
                f"at least {LEAST_SAMPLES} latencies were expected of the {name} file, got {len(series)}; "
                "measure more frames"
            )
    if not 0 <= drift < np.inf:
        raise UsageError(f"drift: a share of 0 or more was expected, got {drift}; correct it")
    generator = np.random.default_rng(seed)
    medians = [resampled_medians(series, block_length(series), DRAWS, generator) for series in (old_ms, new_ms)]
    low, high = interval(medians[1] / medians[0], CONFIDENCE, drift)
    old_median, new_median = float(np.median(old_ms)), float(np.median(new_ms))
    return Slowdown(
        how="stored",
        ratio=new_median / old_median,
        low=low,
        high=high,
        old_ms=old_median,
        new_ms=new_median,
        old_count=len(old_ms),
        new_count=len(new_ms),
        p99_ratio=p99_ratio(old_ms, new_ms),
    )


def interval(ratios: Series, confidence: float, drift: float) -> tuple[float, float]:
    """Returns the ends between which a share of resampled ratios lies (Efron's percentile interval), drift added.

    Args:
        ratios: float64 [D], over 0, one of each resampling.
        confidence: that share.
        drift: a share of the ratio, 0 or more.
    """
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low / (1 + drift)), float(high * (1 + drift))


def p99_ratio(old_ms: Series, new_ms: Series) -> float | None:
    """Returns the ratio of the 99th percentiles, new over old; None where one has too few samples for it."""
    old, new = percentile(old_ms, "99"), percentile(new_ms, "99")
    return None if old is None or new is None else new / old


def slowdown_gate(slowdown: Slowdown, max_slowdown: float, name: str = "slowdown") -> dict[str, Any]:
    """Returns the gate: {"name", "limit", "got", "ok"}; what is not proven is not ok.

    Args:
        slowdown: what was measured.
        max_slowdown: the limit, a share of 0 or more.
        name: of the gate.

    Raises:
        UsageError: the limit is negative or not finite.
    """
    if not 0 <= max_slowdown < np.inf:
        raise UsageError(f"max-slowdown: a share of 0 or more was expected, got {max_slowdown}; give it as 5%")
    verdict = slowdown.verdict(max_slowdown)
    got = f"{_shown(slowdown.ratio)} ({_shown(slowdown.low)} to {_shown(slowdown.high)})"
    if verdict == "not proven":
        verdict = f"{verdict}: {_advice(slowdown)}"
    return {
        "name": name,
        "limit": f"median at most {100 * max_slowdown:g} % slower",
        "got": f"{got}, {slowdown.how}: {verdict}",
        "ok": verdict == "ok",
    }


def slowdown_rows(
    files: Sequence[str], slowdowns: Sequence[Slowdown], max_slowdown: float
) -> list[tuple[str, str, str, str, str, str, str]]:
    """Returns table rows under `SLOWDOWN_COLUMNS`, one a file, the worst first.

    Args:
        files: the new files' names.
        slowdowns: of each.
        max_slowdown: the limit, a share.
    """
    paired = sorted(zip(files, slowdowns, strict=True), key=lambda pair: -pair[1].ratio)
    return [
        (
            file,
            f"{one.old_ms:.2f} ms",
            f"{one.new_ms:.2f} ms",
            _shown(one.ratio),
            f"{_shown(one.low)} to {_shown(one.high)}",
            "-" if one.p99_ratio is None else _shown(one.p99_ratio),
            one.verdict(max_slowdown),
        )
        for file, one in paired
    ]


def _advice(slowdown: Slowdown) -> str:
    if slowdown.how == "stored":
        return "two runs apart prove too little here, so compare with the old file itself, in turns"
    return "the machine is too restless, so measure again on a quiet one"


def _shown(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.2f} %"
