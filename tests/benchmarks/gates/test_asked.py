"""What is asked of a record: gates by scenario, none where nothing is asked."""

import pytest

from benchmarks.gates.asked import asked_gates, pace_gate, slowdown_gates
from benchmarks.gates.slowdown import Slowdown

FILES = [{"file": "a.onnx"}, {"file": "b.onnx"}]


def summary(p99_ms: float) -> dict[str, object]:
    return {"percentiles": {"p50": 1.0, "p99": p99_ms}, "withheld": {"p99.9": 6636}}


def camera(missed: int, ok: int) -> dict[str, object]:
    every, newest = {"misses": missed, "invalid": 0, "frames": 1000}, {"ok": ok, "frames": 1000}
    holds = missed <= 1 and ok >= 999
    return {"file": 0, "budget_ms": 33.3, "rate_hz": 30.0, "every": every, "newest": newest, "holds": holds}


def test_asked_gates_without_a_question_are_none():
    record = {
        "scenario": "single-stream",
        "files": FILES[:1],
        "results": [{"file": 0, "latency_ms": summary(9.0), "invalid_frames": 0}],
    }
    assert asked_gates(record) == []
    assert asked_gates(record, ready_budget_ms=1.0) == []


def test_asked_gates_of_single_stream_hold_each_files_p99_against_the_budget():
    results = [
        {"file": 0, "latency_ms": summary(9.0), "invalid_frames": 0},
        {"file": 1, "latency_ms": summary(11.0), "invalid_frames": 0},
    ]
    gates = asked_gates({"scenario": "single-stream", "files": FILES, "results": results}, budget_ms=10.0)
    assert [(gate["name"], gate["ok"]) for gate in gates] == [("budget: a.onnx", True), ("budget: b.onnx", False)]


@pytest.mark.parametrize(
    ("missed", "ok", "passes"), [(0, 1000, True), (1, 999, True), (2, 1000, False), (0, 998, False)]
)
def test_asked_gates_of_a_camera_ask_for_both_passes(missed, ok, passes):
    record = {"scenario": "camera", "files": FILES[:1], "results": [camera(missed, ok)]}
    (gate,) = asked_gates(record, budget_ms=33.3)
    assert (gate["name"], gate["ok"]) == ("pace", passes)
    assert gate["limit"] == "at most 0.1% over 33.3 ms at 30 Hz"
    assert gate["got"] == f"{missed} of 1000 served in turn, {1000 - ok} of 1000 as they come"


def test_pace_gate_is_the_results_own_answer():
    assert pace_gate(camera(0, 1000) | {"holds": False})["ok"] is False


def test_slowdown_gates_are_named_by_the_new_files():
    counts = {"old_count": 300, "new_count": 300, "p99_ratio": None}
    same = Slowdown(how="stored", ratio=1.0, low=0.99, high=1.01, old_ms=1.0, new_ms=1.0, **counts)
    slow = Slowdown(how="stored", ratio=1.2, low=1.15, high=1.25, old_ms=1.0, new_ms=1.2, **counts)
    gates = slowdown_gates({"files": FILES}, [same, slow], 0.05)
    assert [(gate["name"], gate["ok"]) for gate in gates] == [("slowdown: a.onnx", True), ("slowdown: b.onnx", False)]


def test_pace_gate_of_too_few_frames_is_not_proven():
    few = camera(0, 1000)
    few |= {"every": {"misses": 0, "invalid": 0, "frames": 999}, "newest": {"ok": 999, "frames": 999}}
    gate = pace_gate(few)
    assert (gate["ok"], gate["got"]) == (False, "not proven: 1000 frames are needed, 999 were measured")


def test_asked_gates_of_calls_without_an_answer_are_not_passed():
    result = {"file": 0, "latency_ms": summary(9.0), "invalid_frames": 3}
    (gate,) = asked_gates({"scenario": "single-stream", "files": FILES[:1], "results": [result]}, budget_ms=10.0)
    assert gate["ok"] is False
    assert gate["got"].endswith("3 calls without a valid answer")
