"""The plan of capture times, on a clock that the test moves."""

from itertools import pairwise

import pytest

from segtool.replay.pace import Pace

MS = 1_000_000


class FakeTime:
    def __init__(self) -> None:
        self.now_ns, self.slept_s = 1_000 * MS, []

    def clock(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * 1e9)


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


def test_pace_frames_ready_in_time_are_one_period_apart(fake):
    pace = Pace(25, fake.clock, fake.sleep)
    captured = [pace.wait(0) - 1_000 * MS for _ in range(4)]
    assert captured == [0, 40 * MS, 80 * MS, 120 * MS]
    assert fake.now_ns == 1_120 * MS
    assert pace.late_frames == 0


def test_pace_of_a_rate_that_is_no_whole_number_of_nanoseconds_does_not_drift(fake):
    pace = Pace(30, fake.clock, fake.sleep)
    captured = [pace.wait(0) - 1_000 * MS for _ in range(3001)]
    assert captured[3000] == 100_000 * MS  # 3000 frames at 30 Hz are 100 s to the nanosecond
    assert {after - before for before, after in pairwise(captured)} == {33_333_333, 33_333_334}


def test_pace_held_up_by_the_process_keeps_the_plan_so_that_the_delay_is_age(fake):
    pace = Pace(25, fake.clock, fake.sleep)
    pace.wait(0)
    fake.now_ns += 95 * MS  # the process was away; the frames had been decoded long before
    assert [pace.wait(0) - 1_000 * MS for _ in range(3)] == [40 * MS, 80 * MS, 120 * MS]
    assert fake.slept_s == [0.025]  # the two that were overdue went at once
    assert pace.late_frames == 0


def test_pace_of_a_stuttering_source_moves_the_plan_and_counts_by_how_much(fake):
    pace = Pace(25, fake.clock, fake.sleep)
    pace.wait(0)
    fake.now_ns = 1_100 * MS
    assert pace.wait(1_100 * MS) == 1_100 * MS  # due at 1040, decoded at 1100: captured then, and 60 ms behind
    assert pace.wait(1_101 * MS) == 1_140 * MS  # one period after it, not at once
    fake.now_ns = 1_190 * MS
    assert pace.wait(1_190 * MS) == 1_190 * MS
    assert (pace.late_frames, pace.behind_ns, pace.most_behind_ns) == (2, 70 * MS, 60 * MS)


def test_pace_sleeps_again_where_a_sleep_ends_early(fake):
    def short(seconds: float) -> None:
        fake.sleep(seconds / 2 if seconds > 0.001 else seconds)

    pace = Pace(25, fake.clock, short)
    pace.wait(0)
    assert pace.wait(0) == 1_040 * MS <= fake.now_ns
