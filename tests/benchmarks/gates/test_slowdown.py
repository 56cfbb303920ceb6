"""The rule at its edges, and stored series: with a memory of their own, recorded, and with drift between two runs."""

import numpy as np
import pytest

from benchmarks.gates import slowdown as module
from benchmarks.gates.slowdown import SLOWDOWN_COLUMNS, Slowdown, slowdown_gate, slowdown_rows, stored_slowdown
from runtime.errors import UsageError


def measured(low, ratio, high, **changes):
    facts = {"how": "interleaved", "old_ms": 10.0, "new_ms": 10 * ratio, "old_count": 9, "new_count": 9}
    return Slowdown(ratio=ratio, low=low, high=high, **(facts | {"p99_ratio": None} | changes))


def two_runs(random, count=400, memory=0.95):
    """Two runs of one file whose slow phases last for tens of frames: 10 ms and an autoregression of 3 %."""
    values = np.zeros((2, count + 200))
    for index in range(1, count + 200):
        values[:, index] = memory * values[:, index - 1] + random.normal(0, 0.03 * (1 - memory**2) ** 0.5, 2)
    return 10.0 * np.exp(values[:, 200:])


@pytest.mark.parametrize(
    ("low", "ratio", "high", "verdict"),
    [
        (0.99, 1.0, 1.01, "ok"),
        (1.01, 1.03, 1.05, "ok"),  # slower, but not by more than the limit
        (1.04, 1.05, 1.06, "not proven"),
        (0.9, 1.0, 1.1, "not proven"),
        (1.06, 1.07, 1.08, "worse"),
    ],
)
def test_verdict_follows_where_the_limit_lies(low, ratio, high, verdict):
    one = measured(low, ratio, high)
    assert one.verdict(0.05 + 1e-12) == verdict
    gate = slowdown_gate(one, 0.05 + 1e-12)
    assert gate["ok"] is (verdict == "ok")
    assert verdict in gate["got"]


def test_slowdown_gate_tells_limit_and_figures():
    assert slowdown_gate(measured(1.06, 1.071, 1.08), 0.05) == {
        "name": "slowdown",
        "limit": "median at most 5 % slower",
        "got": "+7.10 % (+6.00 % to +8.00 %), interleaved: worse",
        "ok": False,
    }


@pytest.mark.parametrize(("how", "advice"), [("stored", "with the old file itself"), ("interleaved", "on a quiet one")])
def test_slowdown_gate_without_proof_says_what_to_do(how, advice):
    assert advice in slowdown_gate(measured(0.9, 1.0, 1.1, how=how), 0.05)["got"]


@pytest.mark.parametrize("limit", [-0.01, float("nan"), float("inf")])
def test_slowdown_gate_refuses_a_limit_that_is_none(limit):
    with pytest.raises(UsageError, match=f"max-slowdown: .* got {limit}"):
        slowdown_gate(measured(1, 1, 1), limit)


def test_slowdown_rows_put_the_worst_first():
    rows = slowdown_rows(
        ["a.onnx", "b.onnx"], [measured(0.98, 1.0, 1.02), measured(1.1, 1.2, 1.3, p99_ratio=1.5)], 0.05
    )
    assert rows[0] == ("b.onnx", "10.00 ms", "12.00 ms", "+20.00 %", "+10.00 % to +30.00 %", "+50.00 %", "worse")
    assert [row[0] for row in rows] == ["b.onnx", "a.onnx"]
    assert rows[1][5:] == ("-", "ok")
    assert all(len(row) == len(SLOWDOWN_COLUMNS) for row in rows)


def test_stored_slowdown_of_a_slower_file_is_its_ratio():
    old_ms = np.random.default_rng(0).gamma(100, 0.1, 700)
    result = stored_slowdown(old_ms, old_ms * 1.2, drift=0.0)
    assert result.ratio == pytest.approx(1.2)
    assert result.p99_ratio == pytest.approx(1.2)
    assert 1.17 < result.low < 1.2 < result.high < 1.23
    assert result.verdict(0.05) == "worse"
    assert stored_slowdown(old_ms * 1.2, old_ms, drift=0.0).verdict(0.05) == "ok"  # the other way round it is faster


def test_stored_slowdown_is_widened_by_the_drift():
    old_ms = np.random.default_rng(0).gamma(100, 0.1, 300)
    narrow, wide = (stored_slowdown(old_ms, old_ms, drift=drift) for drift in (0.0, 0.06))
    assert (wide.low, wide.high) == pytest.approx((narrow.low / 1.06, narrow.high * 1.06))
    assert narrow.p99_ratio is None  # 300 frames are no 662


def test_stored_slowdown_of_runs_with_a_memory_holds_the_truth(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 400)  # enough for ends at 0.5 %, a tenth of the time

    def missed():
        random = np.random.default_rng(5)
        results = [stored_slowdown(*two_runs(random), drift=0.0) for _ in range(60)]
        return sum(not result.low <= 1.0 <= result.high for result in results)

    assert missed() <= 6  # of 60
    monkeypatch.setattr(module, "block_length", lambda _series: 1)
    assert missed() >= 20  # single frames, drawn as if independent: what the blocks are for


def test_stored_slowdown_of_recorded_runs_without_drift_would_raise_false_alarms(series, monkeypatch):
    """Why a stored baseline is widened: 20 processes ran one file, and how their medians differ is in none of them."""
    monkeypatch.setattr(module, "DRAWS", 400)
    runs = series["runs"]
    pairs = [(old, new) for old in range(20) for new in range(20) if old != new and (old + new) % 5 == 0]
    results = [stored_slowdown(runs[old], runs[new], drift=0.0) for old, new in pairs]
    worse = sum(result.verdict(0.05) == "worse" for result in results) / len(pairs)
    assert worse > 0.05
    widened = [stored_slowdown(runs[old], runs[new], drift=0.25) for old, new in pairs]  # what this machine needed
    assert not [result for result in widened if result.verdict(0.05) == "worse"]


@pytest.mark.parametrize("short", [0, 1])
def test_stored_slowdown_refuses_too_few_frames(short):
    both = [np.full(200, 10.0), np.full(200, 10.0)]
    both[short] = both[short][:99]
    with pytest.raises(UsageError, match=f"at least 100 latencies .* {('old', 'new')[short]} file, got 99"):
        stored_slowdown(*both)


def test_stored_slowdown_refuses_a_negative_drift():
    with pytest.raises(UsageError, match=r"drift: .* got -0\.1"):
        stored_slowdown(np.full(200, 10.0), np.full(200, 10.0), drift=-0.1)
