"""Replays through a real Stream: every frame is accounted for, whatever the source does."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from runtime.errors import DataError
from runtime.segmenter import Segmenter
from segtool.replay.player import ReplaySettings, play
from segtool.replay.recording import Recording, Shot
from segtool.replay.writer import ResultWriter

from .conftest import BLUE, GREEN, RED

PATIENT = {"budget_ms": 20_000.0, "max_age_ms": 20_000.0}  # so that a busy machine changes no count but "dropped"


@pytest.fixture
def segmenter(model_file):
    with Segmenter(model_file, "cpu") as segmenter:
        yield segmenter


def shots(count: int, pause_s: float = 0.0, broken: tuple[int, ...] = (), live: bool = False):
    for number in range(count):
        time.sleep(pause_s)
        name, arrived_ns = f"{number:06d}", time.monotonic_ns() if live else None
        if number in broken:
            yield Shot(name=name, error=DataError(f"{name}: planted"), arrived_ns=arrived_ns)
        else:
            noise = np.random.default_rng(number).integers(40, 200, (8, 8, 3), dtype=np.uint8)
            yield Shot(name=name, image_hwc=noise, arrived_ns=arrived_ns)


def recording(count: int, **changes) -> Recording:
    live = changes.get("live", False)
    return Recording(told="by hand", shots=lambda: shots(count, **changes), live=live)


def replayed(segmenter, source: Recording, **settings):
    return play(segmenter, source, ReplaySettings(**{"rate_hz": 200.0, **PATIENT, **settings}), ResultWriter([]))


def test_play_of_a_camera_gone_silent_ends_at_the_first_interrupt(segmenter):
    silent = threading.Event()

    def fall_silent():
        yield from shots(3, live=True)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()  # from here: the replay listens by now
        silent.wait(20)

    began_s = time.monotonic()
    replay = replayed(segmenter, Recording(told="by hand", shots=fall_silent, live=True))
    assert time.monotonic() - began_s < 10
    assert replay.signal_number == signal.SIGINT
    assert 0 < replay.shown <= 3
    silent.set()


def accounted(counts) -> int:
    return counts.ok + counts.late + counts.dropped + counts.stale + counts.invalid + counts.failed


def test_play_accounts_for_every_frame_and_takes_the_time_of_the_recording(segmenter):
    replay = replayed(segmenter, recording(20), rate_hz=100.0)
    counts = replay.counts["front"]
    assert replay.shown == counts.submitted == accounted(counts) == 20
    assert (counts.pending, counts.failed, counts.stale, counts.late) == (0, 0, 0, 0)
    assert replay.wall_s >= 0.19
    assert replay.tally.answered == counts.ok > 0
    assert replay.tally.ages_ms().min() > 0
    assert not replay.health.stuck


def test_play_shows_every_camera_each_frame(segmenter):
    replay = replayed(segmenter, recording(6), rate_hz=20.0, cameras=3)
    assert {name: counts.submitted for name, counts in replay.counts.items()} == dict.fromkeys(
        ("camera1", "camera2", "camera3"), 6
    )
    assert all(counts.ok for counts in replay.counts.values())


def test_play_lets_the_last_frames_end_before_it_closes(segmenter, monkeypatch):
    segment = segmenter.segment

    def slowly(frame):
        time.sleep(0.05)
        return segment(frame)

    monkeypatch.setattr(segmenter, "segment", slowly)
    replay = replayed(segmenter, recording(1), cameras=4)
    assert sum(counts.ok for counts in replay.counts.values()) == 4


def test_play_counts_and_keeps_the_errors_of_frames_that_can_not_be_read(segmenter):
    replay = replayed(segmenter, recording(8, broken=(2, 5)))
    assert replay.shown == 8
    assert replay.counts["front"].submitted == 6
    assert [str(error) for error in replay.unreadable] == ["000002: planted", "000005: planted"]


def test_play_of_a_stuttering_source_is_not_charged_to_the_model(segmenter):
    # each frame is decoded 30 ms after the one before: at 1000 Hz no plan could hold, and an unmoved one would be
    # 260 ms behind at the end
    replay = replayed(segmenter, recording(10, pause_s=0.03), rate_hz=1000.0)
    assert replay.pace.late_frames >= 8
    assert replay.pace.behind_ns > 200e6
    assert np.median(replay.tally.ages_ms()) < 100


def test_play_of_a_live_camera_waits_for_no_plan_and_counts_age_from_arrival(segmenter):
    replay = replayed(segmenter, recording(10, pause_s=0.01, live=True), rate_hz=1.0)
    assert replay.wall_s < 5  # at 1 Hz the plan would take 9 s
    assert replay.pace.late_frames == 0
    assert replay.tally.ages_ms().min() > 0


def test_play_with_a_limit_ends_there_and_with_loop_begins_again(segmenter):
    assert replayed(segmenter, recording(5), limit=3).shown == 3
    assert replayed(segmenter, recording(5), limit=12, loop=True).shown == 12


def test_play_in_a_loop_of_nothing_readable_ends(segmenter):
    replay = replayed(segmenter, recording(3, broken=(0, 1, 2)), loop=True)
    assert (replay.shown, len(replay.unreadable)) == (3, 3)


def test_play_of_no_frame_at_all_is_refused(segmenter):
    with pytest.raises(DataError, match="by hand: expected frames, got none"):
        replayed(segmenter, recording(0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_play_ended_by_a_signal_accounts_for_what_was_shown(segmenter, number):
    def interrupted():
        for index, shot in enumerate(shots(1000)):
            if index == 30:
                os.kill(os.getpid(), number)
            yield shot

    replay = replayed(segmenter, Recording(told="by hand", shots=interrupted))
    counts = replay.counts["front"]
    assert replay.signal_number == number
    assert replay.shown == counts.submitted == accounted(counts) < 1000
    assert counts.failed == 0


def test_play_stops_where_nothing_can_be_written_any_more(segmenter):
    class FullDisk:
        def add(self, _):
            raise OSError(28, "planted")

        def close(self):
            pass

    writer = ResultWriter([FullDisk()])
    settings = ReplaySettings(rate_hz=200.0, loop=True, **PATIENT)
    replay = play(segmenter, recording(5), settings, writer)
    writer.close()
    assert "planted" in str(writer.error)
    assert replay.shown > 0


def test_play_with_colours_known_writes_each_answer_with_its_own_picture(segmenter):
    taken = []

    class Keep:
        def add(self, labelled):
            taken.append(labelled)

        def close(self):
            pass

    def coloured():
        for index in range(9):
            image_hwc = np.broadcast_to(np.array((RED, GREEN, BLUE)[index % 3], np.uint8), (6, 10, 3))
            yield Shot(name=f"{index}", image_hwc=np.array(image_hwc))

    writer = ResultWriter([Keep()])
    play(segmenter, Recording(told="by hand", shots=coloured), ReplaySettings(rate_hz=50.0, **PATIENT), writer)
    writer.close()
    assert len(taken) > 3
    for each in taken:
        assert each.labels_hw.shape == (6, 10)
        assert set(np.unique(each.labels_hw)) == {each.index % 3}
        assert each.name == str(each.index)
