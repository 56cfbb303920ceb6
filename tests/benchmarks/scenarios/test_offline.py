"""Turns of stubs that grow slower with every frame of any of them: only in turns do equal files come out equal."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.scenarios.offline import OfflineSettings, measure_offline, offline_rows
from runtime.errors import UsageError


class Drifting:
    """Stubs on one fake clock, each call slower than the one before, whichever of them it was."""

    def __init__(self, make) -> None:
        self.now_ns, self.order, self.make = 0, [], make

    def clock_ns(self) -> int:
        return self.now_ns

    def stub(self, name: str, batch: int = 1, *, valid: bool = True) -> SimpleNamespace:
        def segment(frame: np.ndarray, *outs: np.ndarray) -> SimpleNamespace:
            self.order.append(name)
            self.now_ns += batch * (1_000_000 + 10_000 * len(self.order))
            return SimpleNamespace(valid=valid)

        return SimpleNamespace(spec=self.make(batch=batch).spec, segment=segment)


@pytest.fixture
def drifting(stub_segmenter) -> Drifting:
    return Drifting(stub_segmenter)


FRAMES = [[np.zeros(1, np.uint8)]] * 2


def ratio(drifting: Drifting, rounds: int) -> float:
    pair = [drifting.stub("one"), drifting.stub("two")]
    settings = OfflineSettings(frames=200, warmup=0, rounds=rounds)
    one, two = measure_offline(pair, FRAMES, settings, clock_ns=drifting.clock_ns)
    return two["frames_per_s"] / one["frames_per_s"]


def test_offline_equal_files_on_a_machine_that_slows_down_come_out_equal(drifting: Drifting) -> None:
    assert ratio(drifting, 20) == pytest.approx(1, abs=0.01)


def test_offline_one_after_the_other_is_what_turns_guard_against(drifting: Drifting) -> None:
    assert ratio(drifting, 1) < 0.7  # times of 1..3 ms, then of 3..5 ms


def test_offline_turns_go_forth_and_back(drifting: Drifting) -> None:
    pair = [drifting.stub("one"), drifting.stub("two")]
    measure_offline(pair, FRAMES, OfflineSettings(frames=2, warmup=1, rounds=2), clock_ns=drifting.clock_ns)
    assert drifting.order == ["one", "one", "two", "two", "two", "one"]  # warm-up and call of each; then backwards


def test_offline_batch_counts_frames_and_calls(stub_segmenter) -> None:
    now_ns = 0

    def segment(frame: np.ndarray, *outs: np.ndarray) -> SimpleNamespace:
        nonlocal now_ns
        now_ns += 8_000_000
        return SimpleNamespace(valid=False)

    four = SimpleNamespace(spec=stub_segmenter(batch=4).spec, segment=segment)
    told: list[int] = []
    settings = OfflineSettings(frames=50, warmup=0, rounds=3)
    (result,) = measure_offline([four], FRAMES[:1], settings, told.append, lambda: now_ns)
    assert (result["calls"], result["frames"], result["batch"], result["invalid_calls"]) == (13, 52, 4, 13)
    assert result["frames_per_s"] == pytest.approx(500)  # 4 frames in 8 ms
    assert result["per_frame_ms"] == pytest.approx(2)
    assert result["latency_ms"]["percentiles"]["p50"] == 8.0
    assert sum(told) == 52
    assert ("throughput", "500.0 frames/s") in offline_rows(result)
    assert ("no valid answer", "13 of 13 calls") in offline_rows(result)


def test_offline_frames_for_another_number_of_files_are_refused(drifting: Drifting) -> None:
    with pytest.raises(UsageError, match="got 2 for 1"):
        measure_offline([drifting.stub("one")], FRAMES, OfflineSettings())


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"warmup": -1}, {"rounds": 0}])
def test_offline_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        OfflineSettings(**wrong)
