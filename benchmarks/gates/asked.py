"""What is asked of a record, as gates: a budget, a pace, a start, no slowdown. Where nothing is asked, none fails."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.gates.budgets import budget_gate
from benchmarks.gates.slowdown import Slowdown, slowdown_gate
from benchmarks.scenarios.camera import MOST_MISSED
from benchmarks.scenarios.cold_start import cold_start_gate

Gate = dict[str, Any]


def asked_gates(
    record: Mapping[str, Any], *, budget_ms: float | None = None, ready_budget_ms: float | None = None
) -> list[Gate]:
    """Returns one gate for each result and question.

    Args:
        record: of a bench.
        budget_ms: of single-stream at p99, milliseconds; of a camera, that it holds its pace.
        ready_budget_ms: of a cold start, milliseconds.
    """
    gates = []
    for result in record["results"]:
        gate = None
        if record["scenario"] == "single-stream" and budget_ms is not None:
            gate = budget_gate(result["latency_ms"], "p99", budget_ms)
            if result["invalid_frames"]:  # quick, but no answer
                gate |= {"got": f"{gate['got']}, {result['invalid_frames']} calls without a valid answer", "ok": False}
        elif record["scenario"] == "camera" and budget_ms is not None:
            gate = pace_gate(result)
        elif record["scenario"] == "cold-start" and ready_budget_ms is not None:
            gate = cold_start_gate(result, ready_budget_ms)
        if gate is not None:
            gates.append(_named(gate, record, result["file"]))
    return gates


def pace_gate(result: Mapping[str, Any]) -> Gate:
    """Returns a gate: does a camera's result hold its pace, as `scenarios.camera.holds` has it."""
    every, newest = result["every"], result["newest"]
    missed = newest["frames"] - newest["ok"]
    least = round(1 / MOST_MISSED)
    if min(every["frames"], newest["frames"]) < least:
        got = f"not proven: {least} frames are needed, {every['frames']} were measured"
    else:
        got = f"{every['misses']} of {every['frames']} served in turn, {missed} of {newest['frames']} as they come"
        if every["invalid"]:
            got += f", {every['invalid']} without a valid answer"
    return {
        "name": "pace",
        "limit": f"at most {MOST_MISSED:.1%} over {result['budget_ms']:.1f} ms at {result['rate_hz']:g} Hz",
        "got": got,
        "ok": result["holds"] and not got.startswith("not proven"),
    }


def slowdown_gates(record: Mapping[str, Any], slowdowns: Sequence[Slowdown], max_slowdown: float) -> list[Gate]:
    """Returns one gate for each file.

    Args:
        record: of the new files.
        slowdowns: of each, in the order of the record.
        max_slowdown: the limit, a share.
    """
    gates = [slowdown_gate(slowdown, max_slowdown) for slowdown in slowdowns]
    return [_named(gate, record, index) for index, gate in enumerate(gates)]


def _named(gate: Gate, record: Mapping[str, Any], index: int) -> Gate:
    if len(record["files"]) == 1:
        return gate
    return {**gate, "name": f"{gate['name']}: {record['files'][index]['file']}"}
