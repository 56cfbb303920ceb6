"""Counting and summarising what frames took."""

import numpy as np
import pytest

from runtime.stream import Outcome, StreamResult
from segtool.replay.tally import RECENT, Tally, time_summary


def ended(outcome: Outcome, age_ms: float = 5.0, reason: str = "") -> StreamResult:
    latency_ms = 2.0 if outcome in (Outcome.OK, Outcome.LATE) else None
    return StreamResult(
        camera="front", frame_id=1, captured_ns=0, outcome=outcome, age_ms=age_ms, latency_ms=latency_ms, reason=reason
    )


def test_tally_keeps_times_of_answers_and_the_first_reason_of_the_others():
    tally = Tally()
    for outcome, age_ms, reason in (
        (Outcome.OK, 5.0, ""),
        (Outcome.LATE, 40.0, ""),
        (Outcome.DROPPED, 41.0, "newer"),
        (Outcome.STALE, 200.0, "first"),
        (Outcome.STALE, 300.0, "second"),
        (Outcome.INVALID, 6.0, "255"),
        (Outcome.FAILED, 7.0, "broken"),
    ):
        tally.add(ended(outcome, age_ms, reason))
    assert (tally.answered, tally.missed, tally.dropped) == (2, 5, 1)
    assert tally.ages_ms().tolist() == [5.0, 40.0]
    assert tally.latencies_ms().tolist() == [2.0, 2.0]
    assert tally.reasons[Outcome.STALE] == "first"


def test_tally_recent_ages_are_the_last_ones_only():
    tally = Tally()
    for number in range(RECENT + 5):
        tally.add(ended(Outcome.OK, float(number)))
    assert len(tally.ages_ms()) == RECENT + 5
    assert tally.recent_ages_ms().tolist() == [float(number) for number in range(5, RECENT + 5)]


def test_time_summary_withholds_percentiles_without_samples_enough():
    summary = time_summary(np.arange(1.0, 101.0))
    assert summary["frames"] == 100
    assert (summary["min"], summary["mean"], summary["max"]) == (1.0, 50.5, 100.0)
    assert (summary["p50"], summary["p90"]) == (50.0, 90.0)  # nearest rank of 1..100
    assert summary["p99"] is None
    assert summary["p99.9"] is None
    assert summary["needs"] == {"p99": 662, "p99.9": 6636}  # the counts that MLPerf names


def test_time_summary_of_nothing_is_null():
    summary = time_summary(np.array([]))
    assert [summary[name] for name in ("frames", "min", "mean", "p50", "max")] == [0, None, None, None, None]


@pytest.mark.parametrize(("count", "known"), [(661, False), (662, True)])
def test_time_summary_p99_appears_with_the_frame_that_allows_it(count, known):
    assert (time_summary(np.ones(count))["p99"] is not None) is known
