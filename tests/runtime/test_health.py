import itertools

import pytest

from runtime import health
from runtime.health import State, Vitals

LEGAL = {
    (State.INIT, State.READY),
    (State.INIT, State.FAILED),
    (State.INIT, State.CLOSED),
    (State.READY, State.FAILED),
    (State.READY, State.CLOSED),
}
WAYS = {State.INIT: (), State.READY: (State.READY,), State.FAILED: (State.FAILED,), State.CLOSED: (State.CLOSED,)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Nanoseconds, in a list of one."""
    now = [0]
    monkeypatch.setattr(health, "CLOCK_NS", lambda: now[0])
    return now


@pytest.mark.parametrize(("start", "asked"), list(itertools.product(State, State)))
def test_move_follows_the_legal_moves_only(start: State, asked: State) -> None:
    vitals = Vitals(None)
    for state in WAYS[start]:
        assert vitals.move(state)
    assert vitals.move(asked, "planted") is ((start, asked) in LEGAL)
    assert vitals.state is (asked if (start, asked) in LEGAL else start)


def test_health_before_the_start_is_stale_and_says_why() -> None:
    told = Vitals(None).health()
    assert (told.state, told.stale, told.provider, told.running_ms) == (State.INIT, True, "", None)
    assert told.reasons == ("init: it is being opened",)


def test_health_of_a_ready_one_is_not_stale_until_a_run_fails_and_after_the_next_good_one(clock: list[int]) -> None:
    vitals = Vitals(None)
    vitals.move(State.READY)
    assert not vitals.health().stale
    vitals.begin()
    vitals.fail("planted")
    vitals.rest()
    told = vitals.health()
    assert (told.stale, told.failures, told.runs) == (True, 1, 0)
    assert told.reasons == ("the last run failed: planted",)
    vitals.end(vitals.begin())
    assert (vitals.health().stale, vitals.health().runs) == (False, 1)


def test_health_while_a_run_is_over_its_deadline_is_stale(clock: list[int]) -> None:
    vitals = Vitals(30.0)
    vitals.move(State.READY)
    started_ns = vitals.begin()
    clock[0] = 30_000_000
    assert (vitals.health().stale, vitals.health().running_ms) == (False, 30.0)
    clock[0] = 40_000_000
    assert vitals.health().reasons == ("a run has taken 40 ms so far, the deadline is 30 ms",)
    assert vitals.end(started_ns) == 40.0
    vitals.rest()
    assert (vitals.health().stale, vitals.health().late, vitals.health().running_ms) == (False, 1, None)


def test_health_of_a_failed_one_keeps_its_reason_for_good() -> None:
    vitals = Vitals(None)
    vitals.move(State.READY)
    vitals.move(State.FAILED, "CUDA failure 700")
    vitals.move(State.CLOSED, "close() was called")
    assert vitals.health().reasons == ("failed: CUDA failure 700",)


def test_health_in_a_forked_child_is_stale(segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not segmenter.health().stale
    monkeypatch.setattr(segmenter, "_process", segmenter._process + 1)  # as a child has it
    assert segmenter.health().reasons == ("this is a forked child: the engine is its parent's",)
    assert segmenter.health().stale
