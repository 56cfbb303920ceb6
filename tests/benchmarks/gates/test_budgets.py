"""Summaries by hand: within the budget, at it, over it, withheld."""

import pytest

from benchmarks.gates.budgets import budget_gate
from runtime.errors import UsageError

SUMMARY = {"percentiles": {"p50": 20.0, "p99": 33.4}, "withheld": {"p99.9": 6636}}


@pytest.mark.parametrize(
    ("name", "budget_ms", "got", "ok"),
    [
        ("p50", 20.0, "20.000 ms", True),
        ("p99", 1000 / 30, "33.400 ms", False),
        ("p99", 33.4, "33.400 ms", True),
        ("p99.9", 1000.0, "not proven: p99.9 needs 6636 frames", False),
    ],
)
def test_budget_gate_holds_a_percentile_against_its_limit(name, budget_ms, got, ok):
    expected = {"name": "budget", "limit": f"{name} <= {budget_ms:.3f} ms", "got": got, "ok": ok}
    assert budget_gate(SUMMARY, name, budget_ms) == expected


def test_budget_gate_refuses_a_percentile_that_was_not_asked_for():
    with pytest.raises(UsageError, match=r"one of p50, p99, p99\.9 was expected, got 'p95'"):
        budget_gate(SUMMARY, "p95", 10.0)
