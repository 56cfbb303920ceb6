"""Planted leaks: real ones in a process of their own, and made-up readings of memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scenarios import soak
from benchmarks.scenarios.soak import SURE, SoakSettings, measure_soak, resident_bytes, soak_rows
from runtime.errors import UsageError

from .known_times import FRAMES, FakeClock, KnownTimes

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


class Memory:
    """Grows by so many bytes every 1,000 calls, in whole pages."""

    def __init__(self, bytes_per_1000):
        self.bytes_per_1000, self.calls = bytes_per_1000, 0

    def __call__(self):
        return 90_000_000 + int(self.calls * self.bytes_per_1000 / 1000) // 4096 * 4096

    def took(self, _):
        self.calls += 1


def measured(memory, **changes):
    segmenter = KnownTimes([], act=memory.took)
    return measure_soak(segmenter, FRAMES, SoakSettings(**{"frames": 10_000} | changes), read_bytes=memory)


LEAK = """
import sys
sys.path.insert(0, sys.argv[1])
from known_times import FRAMES, KnownTimes
from benchmarks.scenarios.soak import SoakSettings, measure_soak

kept = []

def act(index):
    if index % 1000 == 999:
        kept.append(bytearray(b"x" * int(sys.argv[2])))

result = measure_soak(KnownTimes([], act=act), FRAMES, SoakSettings(frames=60_000))
print(result["slope_kb_per_1000"], result["error_kb_per_1000"])
"""


def slope_of_a_real_run(leaked_bytes: int) -> tuple[float, float]:
    """In a process of its own: the heap of the tests' has holes enough to hold a small leak for long."""
    here = Path(__file__).parent
    arguments = [sys.executable, "-c", LEAK, str(here), str(leaked_bytes)]
    done = subprocess.run(arguments, cwd=here.parents[2], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    slope, error = map(float, done.stdout.split())
    return slope, error


@LINUX
def test_measure_soak_finds_a_real_leak_of_4_kb_in_1000_frames():
    slope, error = slope_of_a_real_run(4096)
    assert slope == pytest.approx(4.1, abs=1.0)
    assert slope > SURE * error


@LINUX
def test_measure_soak_of_a_real_run_that_keeps_nothing_finds_none():
    slope, error = slope_of_a_real_run(0)
    assert not slope > SURE * error
    assert abs(slope) < 0.5


def test_measure_soak_of_10_000_frames_finds_4_kb_in_1000():
    result = measured(Memory(4096))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["slope_kb_per_1000"] == pytest.approx(4.096, rel=0.05)
    assert result["slope_kb_per_1000"] > SURE * result["error_kb_per_1000"]
    assert "it grows" in dict(soak_rows(result))["memory slope"]
    assert (result["frames"], sum(result["latency_ms"]["histogram"]["counts"])) == (10_000, 10_000)
    assert result["rss"]["frame"][:2] == [0, 16]  # 10,000 / 16 = 625 readings; at 8 they would be 1,250
    assert len(result["rss"]["frame"]) == len(result["rss"]["mb"]) == 626
    assert result["fitted_from_frame"] == 125 * 16


def test_measure_soak_that_only_fills_up_at_first_finds_no_growth():
    memory = Memory(0)
    memory_with_start = lambda: 90_000_000 + min(memory.calls, 1900) * 4096
    segmenter = KnownTimes([], act=memory.took)
    result = measure_soak(segmenter, FRAMES, SoakSettings(), read_bytes=memory_with_start)
    assert result["slope_kb_per_1000"] == 0
    rows = dict(soak_rows(result))
    assert "no growth shown" in rows["memory slope"]
    assert rows["fitted"] == "from call 2000 on"


def test_measure_soak_goes_on_until_the_time_is_over(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(soak.time, "monotonic", lambda: clock.now_ns / 1e9)
    segmenter = KnownTimes([50.0], clock.work)
    result = measure_soak(segmenter, FRAMES, SoakSettings(frames=150, min_duration_s=100, warmup=0))
    assert result["frames"] == 2000
    assert result["duration_s"] == pytest.approx(100)
    assert result["rss"]["frame"] == list(range(0, 2001, 4))[: len(result["rss"]["frame"])]
    assert len(result["rss"]["frame"]) == 501


def test_measure_soak_counts_answers_that_are_not_valid():
    bad = [*FRAMES, np.full((4, 6, 3), 255, np.uint8)]
    result = measure_soak(KnownTimes([]), bad, SoakSettings(frames=100, warmup=0), read_bytes=lambda: 1)
    assert result["invalid_frames"] == 25
    assert dict(soak_rows(result))["no valid answer"] == "25 of 100 calls"


def test_resident_bytes_elsewhere_than_on_linux_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(soak, "_STATM", tmp_path / "statm")
    with pytest.raises(UsageError, match=r"statm, got .*No such file.*; run it on Linux"):
        resident_bytes()


@LINUX
def test_resident_bytes_grow_with_what_is_written_to():
    soak._give_back_free_memory()  # else the memory may come from what earlier tests have left
    before = resident_bytes()
    filled = np.ones(8_000_000 // 8)
    assert resident_bytes() - before == pytest.approx(filled.nbytes, rel=0.1)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"frames": 99}, "got 99, 0.0 and 20"),
        ({"min_duration_s": float("inf")}, "got 10000, inf and 20"),
        ({"warmup": -2}, "got 10000, 0.0 and -2"),
    ],
)
def test_soak_settings_out_of_range_are_refused(changes, shown):
    with pytest.raises(UsageError, match=shown):
        SoakSettings(**changes)
