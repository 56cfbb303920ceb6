"""Plays a recording into a Stream at a camera's pace, and says how it went."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.ahead import ahead
from runtime.errors import DataError
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec
from runtime.stream import CameraCounts, Stream, StreamHealth, StreamResult
from segtool.replay.live import LiveLine
from segtool.replay.pace import Pace
from segtool.replay.recording import Recording, Shot
from segtool.replay.tally import Tally
from segtool.replay.writer import ResultWriter
from trainer.data.camera_frames import as_camera_frame
from trainer.interrupt import StopRequest

DECODED_AHEAD = 8
_DRAIN_S = 1.0  # for the last frames, beyond the age that a frame may have


@dataclass(frozen=True, kw_only=True)
class ReplaySettings:
    """How a recording is played.

    Attributes:
        rate_hz: frames per second of each camera.
        budget_ms: of the Stream.
        max_age_ms: of the Stream.
        cameras: that all show the recording, at the same moments.
        limit: frames of each camera; None plays to the end.
        loop: begin again at the end.
        show_stats: tell on stderr how it goes.
    """

    rate_hz: float
    budget_ms: float = 33.3
    max_age_ms: float = 100.0
    cameras: int = 1
    limit: int | None = None
    loop: bool = False
    show_stats: bool = False

    def camera_names(self) -> tuple[str, ...]:
        """One of each camera; the first one's results are written."""
        return ("front",) if self.cameras == 1 else tuple(f"camera{number + 1}" for number in range(self.cameras))


@dataclass(kw_only=True)
class Replay:
    """How a replay went, as far as it got.

    Attributes:
        settings: how it was played.
        shown: frames of the recording that were due, those that could not be read among them.
        unreadable: the errors of those.
        signal_number: of the signal (Ctrl-C, SIGTERM) that ended it, None where none did.
        wall_s: from the first frame to the last answer.
        tally: of the frames that ended.
        pace: the plan, and how far the decoding was behind.
        health: of the stream, after the last frame ended.
        counts: by camera.
    """

    settings: ReplaySettings
    pace: Pace
    tally: Tally = field(default_factory=Tally)
    shown: int = 0
    unreadable: list[DataError] = field(default_factory=list)
    signal_number: int | None = None
    wall_s: float = 0.0
    health: StreamHealth | None = None
    counts: dict[str, CameraCounts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ready:
    """A shot as the file's camera delivers it, and when it was so; `frame` None where it could not be read."""

    shot: Shot
    frame: npt.NDArray[np.uint8] | None
    ready_ns: int


def play(segmenter: Segmenter, recording: Recording, settings: ReplaySettings, writer: ResultWriter) -> Replay:
    """Plays to the end, to the limit, to Ctrl-C or SIGTERM, or until nothing can be written any more.

    A thread decodes ahead and turns each picture into what the file's camera delivers. A frame's capture time is its
    place in the plan of the recording (a live camera's is its arrival), so that ages are those of a real camera.

    Args:
        segmenter: an open one; left open, and used by no one else meanwhile.
        recording: what is shown.
        settings: how.
        writer: takes the first camera's answers; left open.

    Raises:
        DataError: not a single frame came.
    """
    replay = Replay(settings=settings, pace=Pace(settings.rate_hz))
    first = settings.camera_names()[0]

    def take(result: StreamResult) -> None:
        replay.tally.add(result)
        if result.camera == first:
            writer.take(result)

    with Stream(segmenter, settings.budget_ms, settings.max_age_ms, on_result=take) as stream:
        told = LiveLine(replay.tally, stream.health, sys.stderr) if settings.show_stats else nullcontext()
        began_s = time.monotonic()
        with told, StopRequest() as stop:
            _submit_all(stream, recording, replay, writer, segmenter.spec, stop)
            replay.signal_number = stop.signal_number
            _drain(stream, settings.max_age_ms / 1e3 + _DRAIN_S)
        replay.wall_s = time.monotonic() - began_s
        replay.health = stream.health()
    replay.counts = stream.health().cameras
    if not replay.shown and replay.signal_number is None:
        raise DataError(f"{recording.told}: expected frames, got none; name another recording")
    return replay


def _submit_all(
    stream: Stream, recording: Recording, replay: Replay, writer: ResultWriter, spec: ModelSpec, stop: StopRequest
) -> None:
    settings = replay.settings
    cameras = settings.camera_names()
    shots = _again_and_again(recording.shots) if settings.loop else recording.shots()
    for ready in ahead(_prepared(shots, spec), DECODED_AHEAD, lambda: stop.signal_number is not None):
        frame_id = replay.shown
        captured_ns = ready.ready_ns if recording.live else replay.pace.wait(ready.ready_ns)
        if stop.signal_number is not None:
            return
        replay.shown += 1
        if ready.frame is None:
            replay.unreadable.extend(filter(None, [ready.shot.error]))
        else:
            writer.expect(frame_id, ready.shot)
            for camera in cameras:
                stream.submit(ready.frame, frame_id, captured_ns, camera)
        if replay.shown == settings.limit or writer.error is not None:
            return


def _again_and_again(shots: Callable[[], Iterator[Shot]]) -> Iterator[Shot]:
    some = True
    while some:
        some = False
        for shot in shots():
            some = some or shot.image_hwc is not None  # else it would never end, and show nothing
            yield shot


def _prepared(shots: Iterator[Shot], spec: ModelSpec) -> Iterator[_Ready]:
    for shot in shots:
        frame = None if shot.image_hwc is None else as_camera_frame(shot.image_hwc, spec)
        ready_ns = time.monotonic_ns() if shot.arrived_ns is None else shot.arrived_ns
        yield _Ready(shot=shot, frame=frame, ready_ns=ready_ns)


def _drain(stream: Stream, most_s: float) -> None:
    """Lets the last frames end, which `close` would end as failed."""
    end_s = time.monotonic() + most_s
    while any(counts.pending for counts in stream.health().cameras.values()) and time.monotonic() < end_s:
        time.sleep(0.001)
