"""Holds a percentile against a time budget. What was not measured well enough is not proven, and fails."""

from collections.abc import Mapping
from typing import Any

from runtime.errors import UsageError


def budget_gate(summary: Mapping[str, Any], percentile: str, budget_ms: float) -> dict[str, Any]:
    """Returns a gate: is a latency within its budget.

    Args:
        summary: `latency_ms` of a result: `percentiles`, and `withheld` with the frames that the others need.
        percentile: its name there, "p99".
        budget_ms: the most that it may be, milliseconds.

    Returns:
        {"name", "limit", "got", "ok"}; a withheld percentile is not proven, so not ok.

    Raises:
        UsageError: the summary knows no such percentile.
    """
    gate = {"name": "budget", "limit": f"{percentile} <= {budget_ms:.3f} ms"}
    known, withheld = summary["percentiles"], summary["withheld"]
    if percentile in known:
        return {**gate, "got": f"{known[percentile]:.3f} ms", "ok": known[percentile] <= budget_ms}
    if percentile in withheld:
        return {**gate, "got": f"not proven: {percentile} needs {withheld[percentile]} frames", "ok": False}
    names = ", ".join([*known, *withheld])
    raise UsageError(f"percentile: one of {names} was expected, got {percentile!r}; name one of them")
