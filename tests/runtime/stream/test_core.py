"""The state behind a Stream, without threads and with a clock of the test's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import UsageError
from runtime.result import Result
from runtime.stream.core import Core
from runtime.stream.desk import Ticket
from runtime.stream.mailbox import MOST_CAMERAS, Mailbox
from runtime.stream.models import Models
from runtime.stream.result import Flag, Outcome, StreamResult

from .fakes import SHAPE, FakeSegmenter

MS = 1_000_000
OUTCOMES = ("ok", "late", "dropped", "stale", "invalid", "failed")


class Bench:
    """A Core, its clock, and what it posted."""

    def __init__(self, make_spec) -> None:
        self.now_ns = 0
        self.posted: list[StreamResult] = []
        self.core = Core(
            Models(FakeSegmenter(make_spec()), None),
            budget_ms=30.0,
            max_age_ms=100.0,
            clock=lambda: self.now_ns,
            post=self.posted.append,
        )

    def put(self, frame_id: int, camera: str = "front", captured_ms: float | None = None) -> Outcome | None:
        captured_ns = self.now_ns if captured_ms is None else int(captured_ms * MS)
        with self.core.lock:
            desk, buffer = self.core.mailbox.desk(camera, self.now_ns), self.core.mailbox.buffer()
        return self.core.put(
            desk, Ticket(camera=camera, frame_id=frame_id, captured_ns=captured_ns, flags=(), frame=buffer)
        )

    def start(self):
        with self.core.lock:
            return self.core.next_run()

    def finish(self, run, after_ms: float = 0.0, label: int = 1) -> bool:
        self.now_ns += int(after_ms * MS)
        labels = np.full((24, 32), label, np.uint8)
        return self.core.answer(run, Result(labels=labels, valid=label != 255, latency_ms=after_ms, provider="cpu"))

    def ended(self) -> list[tuple[int, str]]:
        return [(result.frame_id, result.outcome.value) for result in self.posted]


@pytest.fixture
def bench(make_spec) -> Bench:
    return Bench(make_spec)


def test_put_of_a_newer_frame_drops_the_older_one_of_its_camera_only(bench: Bench) -> None:
    bench.put(1)
    bench.put(1, "rear")
    bench.put(2)
    assert bench.ended() == [(1, "dropped")]
    assert [bench.start().ticket.frame_id, bench.start().ticket.camera] == [2, "rear"]
    assert bench.start() is None


@pytest.mark.parametrize(("after_ms", "outcome"), [(30.0, "ok"), (30.1, "late")])
def test_answer_at_the_budget_is_ok_and_after_it_late(bench: Bench, after_ms: float, outcome: str) -> None:
    bench.put(1)
    bench.finish(bench.start(), after_ms)
    assert bench.ended() == [(1, outcome)]
    assert (bench.posted[0].age_ms, bench.posted[0].late) == (after_ms, outcome == "late")


@pytest.mark.parametrize(("age_ms", "runs"), [(100.0, True), (100.1, False)])
def test_next_run_of_a_frame_over_the_age_is_stale_and_never_run(bench: Bench, age_ms: float, runs: bool) -> None:
    bench.put(1, captured_ms=-age_ms)
    assert (bench.start() is not None) is runs
    assert bench.ended() == ([] if runs else [(1, "stale")])


def test_answer_with_a_255_is_invalid_and_keeps_its_labels(bench: Bench) -> None:
    bench.put(1)
    bench.finish(bench.start(), label=255)
    assert bench.ended() == [(1, "invalid")]
    assert bench.posted[0].labels is not None
    assert bench.core.mailbox.desks["front"].latest is None  # it is no answer to rely upon


def test_answer_after_the_frame_was_given_up_is_thrown_away(bench: Bench) -> None:
    bench.put(1)
    run = bench.start()
    assert bench.core.give_up(run, "it hangs")
    assert not bench.finish(run)
    assert not bench.core.give_up(run, "again")
    assert bench.ended() == [(1, "failed")]


def test_block_ends_what_waits_and_what_comes_until_unblock(bench: Bench) -> None:
    bench.put(1)
    bench.core.block("it hangs")
    assert bench.put(2) is Outcome.FAILED
    bench.core.unblock()
    assert bench.put(3) is None
    assert bench.ended() == [(1, "failed"), (2, "failed")]
    assert {result.reason for result in bench.posted} == {"it hangs"}


def test_take_gives_each_camera_its_turn_however_fast_another_sends(bench: Bench) -> None:
    served = []
    for frame_id in range(60):
        for _ in range(10):  # ten frames of one camera to each of the others
            bench.put(frame_id, "fast")
        for camera in ("a", "b", "c", "d", "e"):
            bench.put(frame_id, camera)
        for _ in range(2):  # and the engine has time for two of the six
            run = bench.start()
            served.append(run.ticket.camera)
            bench.finish(run)
    assert {camera: served.count(camera) for camera in served} == dict.fromkeys(("fast", "a", "b", "c", "d", "e"), 20)


def test_mailbox_needs_no_more_buffers_than_frames_are_on_their_way(bench: Bench) -> None:
    seen = set()
    for frame_id in range(200):
        bench.put(frame_id, f"camera {frame_id % 3}")
        if frame_id % 2:
            run = bench.start()
            seen.add(id(run.ticket.frame.base if run.ticket.frame.base is not None else run.ticket.frame))
            bench.finish(run)
    assert len(seen) <= 3 + 2


def test_mailbox_one_camera_too_many_is_refused() -> None:
    mailbox = Mailbox(SHAPE)
    for number in range(MOST_CAMERAS):
        mailbox.desk(f"{number}", 0)
    with pytest.raises(UsageError, match=r"at most 64 cameras on one Stream, got 'x' as one more"):
        mailbox.desk("x", 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.integers(-150, 0)),
        st.tuples(st.just("run"), st.integers(0, 60), st.sampled_from([1, 255])),
        st.tuples(st.just("fail"), st.just(0), st.just(0)),
        st.tuples(st.just("hang"), st.just(0), st.just(0)),
        st.tuples(st.just("block"), st.just(0), st.just(0)),
        st.tuples(st.just("unblock"), st.just(0), st.just(0)),
        st.tuples(st.just("bad"), st.integers(0, 2), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_every_frame_ends_in_exactly_one_counter_whatever_happens(make_spec, steps) -> None:
    bench, put, frame_id = Bench(make_spec), 0, 0
    for kind, a, b in steps:
        bench.now_ns += MS
        if kind == "put":
            put, frame_id = put + 1, frame_id + 1
            bench.put(frame_id, f"{a}", bench.now_ns / MS + b)
        elif kind == "bad":
            put, frame_id = put + 1, frame_id + 1
            with bench.core.lock:
                desk = bench.core.mailbox.desk(f"{a}", bench.now_ns)
            bench.core.refuse(desk, frame_id, bench.now_ns, (), "no frame")
        elif kind in ("block", "unblock"):
            bench.core.block("it hangs") if kind == "block" else bench.core.unblock()
        elif (run := bench.start()) is not None:
            if kind == "run":
                bench.finish(run, a, b)
            else:
                (bench.core.fail if kind == "fail" else bench.core.give_up)(run, "planted")
        for desk in bench.core.mailbox.desks.values():
            counts = desk.counts
            assert counts.submitted == sum(getattr(counts, name) for name in OUTCOMES) + counts.pending
            assert counts.pending == (desk.waiting is not None)
    bench.core.block("the end")
    ids = [result.frame_id for result in bench.posted]
    assert sorted(ids) == list(range(1, put + 1))  # each once, none lost


def test_answer_where_the_clock_raises_gives_its_buffer_back_once(bench: Bench) -> None:
    bench.put(1)
    run = bench.start()
    clock, bench.core._clock = bench.core._clock, iter(()).__next__
    with pytest.raises(StopIteration):
        bench.finish(run)
    bench.core._clock = clock
    assert bench.core.fail(run, "planted")  # as the worker goes on
    assert bench.ended() == [(1, "failed")]
    assert bench.core.mailbox.buffer() is not bench.core.mailbox.buffer()


def test_buffer_of_a_run_that_hangs_stays_with_the_engine_until_it_comes_back(bench: Bench) -> None:
    bench.put(1)
    run = bench.start()
    bench.core.give_up(run, "it hangs")
    assert bench.core.mailbox.buffer() is not run.ticket.frame
    bench.finish(run)
    assert bench.core.mailbox.buffer() is run.ticket.frame


def test_buffer_of_a_run_that_failed_is_used_again(bench: Bench) -> None:
    bench.put(1)
    run = bench.start()
    bench.core.fail(run, "planted")
    assert bench.core.mailbox.buffer() is run.ticket.frame


def test_block_for_good_keeps_its_reason_and_no_unblock_ends_it(bench: Bench) -> None:
    bench.core.block("the device is lost", for_good=True)
    bench.core.block("it hangs")
    bench.core.unblock()
    bench.core.close()
    assert bench.core.stuck == "the device is lost"


def test_answer_carries_its_confidence_its_mean_and_what_is_odd_about_it(bench: Bench) -> None:
    bench.put(1)
    run = bench.start()
    run.ticket.frame[:] = 0
    confidence = np.zeros((24, 32), np.uint8)
    confidence[:6] = 204  # a quarter at 0.8
    labels = np.ones((24, 32), np.uint8)
    bench.core.answer(run, Result(labels=labels, confidence=confidence, valid=True, latency_ms=1.0, provider="cpu"))
    assert bench.posted[0].confidence is confidence
    assert bench.posted[0].mean_confidence == pytest.approx(0.2)
    assert bench.posted[0].flags == (Flag.DARK,)
    assert not confidence.flags.writeable
