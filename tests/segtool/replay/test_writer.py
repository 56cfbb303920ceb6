"""Results reach the sinks with their own pictures, and a slow sink holds up nobody."""

import threading

import numpy as np
import pytest

from runtime.errors import StorageError
from runtime.stream import Outcome, StreamResult
from segtool.replay.recording import Shot
from segtool.replay.writer import FORGOTTEN_AFTER, WAITING, ResultWriter


class ListSink:
    def __init__(self) -> None:
        self.taken, self.closed = [], 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.error = None

    def add(self, labelled) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        self.taken.append(labelled)

    def close(self) -> None:
        self.closed += 1


def shot(number: int) -> Shot:
    return Shot(name=f"{number}.png", image_hwc=np.full((4, 6, 3), number, np.uint8))


def answer(number: int, outcome: Outcome = Outcome.OK) -> StreamResult:
    labels = None if outcome in (Outcome.DROPPED, Outcome.STALE) else np.full((2, 3), number, np.uint8)
    return StreamResult(camera="front", frame_id=number, captured_ns=0, outcome=outcome, labels=labels, age_ms=1.0)


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


def test_writer_brings_answers_together_with_their_pictures_at_their_size(sink):
    writer = ResultWriter([sink])
    for number in (1, 2, 3):
        writer.expect(number, shot(number))
    for result in (answer(2, Outcome.DROPPED), answer(1), answer(3, Outcome.LATE)):
        writer.take(result)
    writer.close()
    assert [(each.index, each.name) for each in sink.taken] == [(1, "1.png"), (3, "3.png")]
    for each in sink.taken:
        np.testing.assert_array_equal(each.image_hwc, np.full((4, 6, 3), each.index))
        np.testing.assert_array_equal(each.labels_hw, np.full((4, 6), each.index))
    assert (writer.written, writer.unwritten, writer.error, sink.closed) == (2, 0, None, 1)


def test_writer_writes_an_answer_with_255_as_predict_does(sink):
    writer = ResultWriter([sink])
    writer.expect(1, shot(1))
    writer.take(answer(1, Outcome.INVALID))
    writer.close()
    assert writer.written == 1


def test_writer_leaves_out_and_counts_what_a_slow_sink_can_not_take(sink):
    writer = ResultWriter([sink])
    sink.gate.clear()
    writer.expect(0, shot(0))
    writer.take(answer(0))
    assert sink.entered.wait(10)
    for number in range(1, WAITING + 6):  # one is being written, so many wait, and five are too many
        writer.expect(number, shot(number))
        writer.take(answer(number))
    assert writer.unwritten == 5
    sink.gate.set()
    writer.close()
    assert writer.written == WAITING + 1
    assert [each.index for each in sink.taken] == list(range(WAITING + 1))


@pytest.mark.parametrize("error", [StorageError("planted full disk"), ZeroDivisionError("planted bug")])
def test_writer_that_fails_keeps_the_error_and_ends_all_the_same(sink, error):
    writer = ResultWriter([sink])
    sink.error = error
    for number in range(3):
        writer.expect(number, shot(number))
        writer.take(answer(number))
    writer.close()
    assert writer.error is error
    assert (writer.written, sink.closed) == (0, 1)


def test_writer_lets_go_of_a_picture_whose_end_was_never_told(sink):
    writer = ResultWriter([sink])
    for number in range(FORGOTTEN_AFTER + 3):
        writer.expect(number, shot(number % 200))
    assert sorted(writer._shown) == list(range(3, FORGOTTEN_AFTER + 3))
    writer.close()


def test_writer_without_sinks_keeps_no_picture():
    writer = ResultWriter([])
    writer.expect(1, shot(1))
    writer.take(answer(1))
    writer.close()
    assert (writer.written, writer.unwritten, writer._shown) == (0, 0, {})
