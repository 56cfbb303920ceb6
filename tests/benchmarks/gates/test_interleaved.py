"""Turns on a replayed clock: recorded latencies of this project's own files, and hand-made disturbances."""

import itertools
import math
import time

import numpy as np
import pytest

from benchmarks.gates import interleaved
from benchmarks.gates.interleaved import Turns, interleaved_slowdown
from runtime.errors import UsageError

FRAMES = [np.zeros((4, 6, 3), np.uint8)]
AS_RECORDED = Turns(pause_s=0, settle_frames=0)  # the recordings hold nothing but turns of three


def no_pause(_seconds):
    """Where nothing waits: even `time.sleep(0)` hands the core to another program."""


def compared(both, limit, turns=AS_RECORDED, seed=0):
    return interleaved_slowdown(
        both.old, both.new, FRAMES, limit, turns=turns, seed=seed, clock_ns=both.clock_ns, sleep=no_pause
    )


def verdicts(series, replay, injected, limit, seed, *, name="turns", turns=AS_RECORDED, count=200):
    """Replays `count` comparisons, each from a random place in a random order of the recorded processes."""
    random = np.random.default_rng(seed)
    answers = []
    for index in range(count):
        recorded = series[name][random.permutation(len(series[name]))].reshape(-1, 2, 3)
        start = 2 * random.integers(len(recorded) // 2 - turns.looks[-1])  # even: rounds of two pairs, as recorded
        recorded = recorded[start:, :: random.choice([-1, 1])]
        both = replay(recorded[:, 0].flat, recorded[:, 1].flat * np.array(1 + injected))
        answers.append(compared(both, limit, turns, index).verdict(limit))
    return {answer: answers.count(answer) for answer in ("ok", "worse", "not proven")}


def test_200_comparisons_of_a_file_with_itself_raise_under_5_percent_false_alarms(series, replay):
    answers = verdicts(series, replay, injected=0.0, limit=0.05, seed=1)
    assert answers["ok"] > 190


def test_200_comparisons_with_a_file_5_percent_slower_find_over_95_percent(series, replay):
    # the limit itself is the hardest place: 99 of 100 are promised there, and over it more
    turns = Turns(pause_s=0, settle_frames=0, looks=(32, 64))
    answers = verdicts(series, replay, injected=0.05, limit=0.05, seed=2, turns=turns)
    assert answers["ok"] < 10


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0.05, 0.02])
def test_200_comparisons_with_a_file_5_percent_slower_at_every_look_find_over_95_percent(series, replay, limit):
    answers = verdicts(series, replay, injected=0.05, limit=limit, seed=3)
    assert answers["ok"] < 10
    assert limit == 0.05 or answers["worse"] > 190  # proven, too, where it is well over the limit


class Busy:
    """Computes for about a millisecond on one core, then waits busily for a share of that."""

    def __init__(self, spec, share):
        self.spec, self.share, self.values = spec, share, np.linspace(0, 1, 60_000)

    def segment(self, _frame, *_outs):
        before_ns = time.perf_counter_ns()
        np.sin(self.values)
        after_ns = time.perf_counter_ns()
        while time.perf_counter_ns() < after_ns + self.share * (after_ns - before_ns):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("injected", [0.0, 0.05])
def test_10_live_comparisons_find_what_was_injected(stub_segmenter, injected):
    spec = stub_segmenter().spec
    answers = []
    for seed in range(10):
        old, new = Busy(spec, 0.0), Busy(spec, injected)
        slowdown = interleaved_slowdown(old, new, FRAMES, 0.05, turns=Turns(pause_s=0), seed=seed)
        answers.append(slowdown.verdict(0.05) == "ok")
    assert sum(answers) >= 9 if injected == 0 else sum(answers) <= 1, answers


@pytest.mark.parametrize("slower", [1.2, 0.8])
def test_interleaved_slowdown_of_steady_files_is_their_ratio(replay, slower):
    pauses = []
    both = replay(itertools.repeat(10.0), itertools.repeat(10.0 * slower))
    slowdown = interleaved_slowdown(both.old, both.new, FRAMES, 0.05, clock_ns=both.clock_ns, sleep=pauses.append)
    assert (slowdown.old_ms, slowdown.new_ms) == (10.0, 10.0 * slower)
    assert [slowdown.ratio, slowdown.low, slowdown.high] == pytest.approx([slower, slower / 1.01, slower * 1.01])
    assert slowdown.verdict(0.05) == ("worse" if slower > 1 else "ok")
    assert pauses == [0.05] * 32 * 4
    assert slowdown.old_count == slowdown.new_count == 32 * 2 * 3  # the first look is enough: 32 rounds


@pytest.mark.parametrize(("orders", "ratio"), [(None, 1.0), (((0, 1, 0, 1), (0, 1, 0, 1)), 1.2)])
def test_interleaved_slowdown_of_one_file_ignores_who_comes_second(monkeypatch, replay, orders, ratio):
    """Every other turn is 20 % slower, whoever's it is: an order that gives all of those to one file is planted."""
    if orders is not None:
        monkeypatch.setattr(interleaved, "_ORDERS", orders)
    times = itertools.cycle(np.repeat([10.0, 12.0], 3))
    assert compared(replay(times, times), 0.05).ratio == pytest.approx(ratio)


def test_interleaved_slowdown_of_one_file_on_a_machine_that_slows_down_is_none(replay):
    """Each turn takes 2 % longer than the one before it: even drift must cancel."""
    times = iter(np.repeat(1.02 ** np.arange(4 * 256), 3))
    slowdown = compared(replay(times, times), 0.02)
    assert slowdown.ratio == pytest.approx(1.0, abs=1e-6)
    assert slowdown.verdict(0.02) == "ok"


def test_interleaved_slowdown_stops_at_the_last_look_where_nothing_is_proven(replay):
    random = np.random.default_rng(0)
    both = replay(*(random.lognormal(2, 0.8, 10_000) for _ in range(2)))
    told = []
    turns = Turns(pause_s=0, settle_frames=1, frames=2, looks=(10, 20))
    slowdown = interleaved_slowdown(
        both.old,
        both.new,
        FRAMES,
        0.01,
        turns=turns,
        clock_ns=both.clock_ns,
        sleep=no_pause,
        progress=lambda done, most: told.append((done, most)),
    )
    assert slowdown.verdict(0.01) == "not proven"
    assert told == [(done, 20) for done in range(1, 21)]
    assert slowdown.new_count == 20 * 2 * 2  # settling frames are not among them


def test_interval_over_rounds_agrees_with_the_sign_test():
    stats = pytest.importorskip("scipy.stats", reason="needs scipy")
    rounds = np.random.default_rng(4).normal(0.03, 0.05, 101)
    slowdown = interleaved.summarise_rounds(rounds, ([10.0], [10.3]), 0.99, np.random.default_rng(0))
    expected = stats.quantile_test(rounds, q=0, p=0.5).confidence_interval(0.99)
    assert math.log(slowdown.low * 1.01) == pytest.approx(expected.low, abs=0.004)
    assert math.log(slowdown.high / 1.01) == pytest.approx(expected.high, abs=0.004)


@pytest.mark.parametrize("looks", [(), (5, 20), (40, 20)])
def test_turns_refuse_looks_that_do_not_rise(looks):
    with pytest.raises(UsageError, match=r"looks: rising .* got \(" + str(looks)[1:-1]):
        Turns(looks=looks)


@pytest.mark.parametrize("wrong", [{"pause_s": -1.0}, {"settle_frames": -1}, {"frames": 0}])
def test_turns_refuse_numbers_out_of_range(wrong):
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        Turns(**wrong)


def test_interleaved_slowdown_refuses_files_of_two_sizes(stub_segmenter):
    with pytest.raises(UsageError, match=r"\[1, 4, 6, 3\] was expected .* takes \[1, 8, 6, 3\]"):
        interleaved_slowdown(stub_segmenter(), stub_segmenter(height_px=8), FRAMES, 0.05)


def test_interleaved_slowdown_refuses_no_frame(stub_segmenter):
    with pytest.raises(UsageError, match="at least 1 frame, got 0"):
        interleaved_slowdown(stub_segmenter(), stub_segmenter(), [], 0.05)
