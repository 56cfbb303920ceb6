"""Another model file in the place of the running one, and back."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime.camera import CameraSpec
from runtime.errors import DeviceError, IntegrityError, UsageError
from runtime.events import Event
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
from runtime.stream import Outcome, Stream, StreamResult
from runtime.stream.models import Model, _door

from .fakes import FakeSegmenter, Gate, codes, frame, send, until


@pytest.fixture
def files(tmp_path: Path, make_door: Callable[..., bytes]) -> dict[str, Path]:
    """Camera files whose labels are the first channel // scale."""
    made = {}
    for name, scale in (("old", 64), ("new", 32), ("newer", 16)):
        made[name] = tmp_path / f"{name}.onnx"
        made[name].write_bytes(make_door(scale=scale))
    return made


@pytest.fixture
def running(files: dict[str, Path]) -> Iterator[tuple[Stream, list[StreamResult], list[Event]]]:
    results: list[StreamResult] = []
    events: list[Event] = []
    with (
        Segmenter(files["old"], "cpu", options=EngineOptions(threads=1)) as segmenter,
        Stream(segmenter, 5000.0, 5000.0, on_result=results.append, on_event=events.append) as stream,
    ):
        yield stream, results, events


def scale_of(stream: Stream, results: list[StreamResult], frame_id: int) -> int:
    """Runs a frame and tells by its labels which file ran."""
    pixels = frame(frame_id)
    before = len(results)
    stream.submit(pixels, frame_id, time.monotonic_ns())
    until(lambda: len(results) > before)
    return next(scale for scale in (64, 32, 16) if np.array_equal(results[-1].labels, pixels[..., 0] // scale))


def test_replace_and_rollback_switch_the_file_and_tell_it(running, files) -> None:
    stream, results, events = running
    assert (scale_of(stream, results, 1), stream.health().can_roll_back) == (64, False)
    stream.replace(files["new"])
    assert (scale_of(stream, results, 2), stream.health().can_roll_back) == (32, True)
    assert results[-1].sha256 == stream.health().sha256 != results[0].sha256
    stream.rollback()
    assert (scale_of(stream, results, 3), stream.health().can_roll_back) == (64, False)
    told = [code for code in codes(events) if code.startswith("stream")]
    assert told == ["stream.replaced", "stream.rolled_back"]
    assert "rollback() was called" in events[-1].text


def test_replace_twice_keeps_the_one_before_and_closes_the_oldest_of_its_own(running, files) -> None:
    stream, results, _ = running
    first = stream._models.current.segmenter
    stream.replace(files["new"])
    middle = stream._models.current.segmenter
    stream.replace(files["newer"])
    assert scale_of(stream, results, 1) == 16
    assert first.health().state.value == "ready"  # the caller's own is the caller's to close
    stream.replace(files["new"])
    assert middle.health().state.value == "closed"
    stream.rollback()
    assert scale_of(stream, results, 2) == 16


def test_rollback_without_an_older_file_is_refused(running) -> None:
    with pytest.raises(UsageError, match="rollback: expected an older file to go back to, got none"):
        running[0].rollback()


def test_doors_of_one_layout_but_other_colours_differ(make_spec) -> None:
    size = {"height_px": 24, "width_px": 32}
    usual = {"yuv_matrix": "bt709", "yuv_range": "limited"}
    for change, name in (({"yuv_matrix": "bt601"}, "YUV matrix"), ({"yuv_range": "full"}, "YUV range")):
        cameras = [CameraSpec(**size, layout="nv12", **colours) for colours in (usual, usual | change)]
        door = _door(*(make_spec(**size, camera=camera) for camera in cameras))
        assert [key for key, (old, new) in door.items() if old != new] == [name]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layout": "bgr"}, r"with layout rgb, as the running .*old\.onnx has, got bgr"),
        ({"crop": (0, 0, 16, 12)}, r"with labels \[24, 32\], .*, got \[12, 16\]"),
        ({"batch": 2}, "with batch 1, .*, got 2"),
        ({"label_space": "other"}, "with label space four, .*, got other"),
        ({"classes": ("road", "sky", "car", "bush")}, "with classes .*'tree'.*, got .*'bush'"),
    ],
)
def test_replace_by_a_file_with_another_door_is_refused_and_the_old_one_runs_on(
    running, tmp_path, make_door, changes: dict[str, object], told: str
) -> None:
    stream, results, events = running
    (tmp_path / "other.onnx").write_bytes(make_door(**changes))
    with pytest.raises(UsageError, match=told):
        stream.replace(tmp_path / "other.onnx")
    assert scale_of(stream, results, 1) == 64
    assert codes(events)[-1] == "stream.replace_failed"
    assert not stream.health().can_roll_back


def test_replace_by_a_broken_file_is_refused_and_the_old_one_runs_on(running, files) -> None:
    stream, results, _ = running
    data = bytearray(files["new"].read_bytes())
    data[len(data) // 2] ^= 1
    files["new"].write_bytes(data)
    with pytest.raises(IntegrityError, match=r"new\.onnx: expected the SHA-256"):
        stream.replace(files["new"])
    with pytest.raises(IntegrityError, match=f"expected the file with SHA-256 {'0' * 64}"):
        stream.replace(files["newer"], sha256="0" * 64)
    assert scale_of(stream, results, 1) == 64


def test_replace_under_load_loses_no_frame(running, files) -> None:
    stream, results, _ = running
    stop, sent = threading.Event(), []

    def drive() -> None:
        while not stop.is_set():
            sent.append(send(stream, len(sent)))
            time.sleep(0.002)

    driver = threading.Thread(target=drive)
    driver.start()
    for name in ("new", "newer", "new"):
        time.sleep(0.05)
        stream.replace(files[name])
    stream.rollback()
    time.sleep(0.05)
    stop.set()
    driver.join()
    until(lambda: stream.health().cameras["front"].pending == 0)
    counts = stream.health().cameras["front"]
    assert counts.submitted == len(sent)
    assert counts.submitted == counts.ok + counts.dropped  # a frame waits while another loads, and may be overtaken
    assert (counts.failed, counts.stale, counts.invalid) == (0, 0, 0)
    assert len({result.sha256 for result in results if result.outcome is Outcome.OK}) == 3


def newer(stream: Stream, act: Callable[[np.ndarray], object]) -> FakeSegmenter:
    """Puts a Segmenter that does `act` in the place of the running one, as replace() does with a file."""
    segmenter = FakeSegmenter(stream._models.current.segmenter.spec, act, name="b")
    model = Model(segmenter=segmenter, plausibility=stream._models.current.plausibility, own=True)
    with stream._core.lock:
        stream._models.switch(model)
    return segmenter


def test_stream_goes_back_by_itself_where_the_newer_file_fails(running) -> None:
    stream, results, events = running

    def fail(_: np.ndarray) -> None:
        raise DeviceError("planted failure")

    segmenter = newer(stream, fail)
    send(stream, 1)
    until(lambda: len(results) == 1)
    assert (results[0].outcome, results[0].reason) == (Outcome.FAILED, "planted failure")
    assert scale_of(stream, results, 2) == 64
    assert "stream.rolled_back" in codes(events)
    assert segmenter.closed
    assert not stream.health().can_roll_back


def test_stream_goes_back_by_itself_where_the_newer_file_hangs(files) -> None:
    results: list[StreamResult] = []
    events: list[Event] = []
    with (
        Segmenter(files["old"], "cpu", options=EngineOptions(threads=1)) as old,
        Stream(old, 5000.0, 5000.0, on_result=results.append, on_event=events.append, hang_ms=100.0) as stream,
    ):
        gate = Gate()
        segmenter = newer(stream, gate)
        send(stream, 1)
        until(lambda: len(results) == 1)
        assert results[0].outcome is Outcome.FAILED
        assert scale_of(stream, results, 2) == 64  # while the newer one still hangs
        assert not stream.health().stale
        until(lambda: len(events) == 2)  # told by the watchdog, which the frame above need not have waited for
        assert codes(events) == ["stream.hung", "stream.rolled_back"]
        assert not segmenter.closed
        gate.opened.set()
        until(lambda: segmenter.closed)
        assert scale_of(stream, results, 3) == 64


def test_stream_stays_where_the_older_file_was_closed_by_its_owner(running) -> None:
    stream, results, events = running
    older = stream._models.current.segmenter
    raised = iter([DeviceError("planted failure")])

    def fail_once(_: np.ndarray) -> None:
        for error in raised:
            raise error

    segmenter = newer(stream, fail_once)
    assert stream.health().can_roll_back
    older.close()
    assert not stream.health().can_roll_back
    send(stream, 1)
    until(lambda: len(results) == 1)
    send(stream, 2)
    until(lambda: len(results) == 2)
    assert [(result.outcome, result.sha256) for result in results] == [(Outcome.FAILED, ""), (Outcome.OK, "b" * 64)]
    with pytest.raises(UsageError, match="rollback: expected an older file to go back to, got none"):
        stream.rollback()
    assert not segmenter.closed
    assert "stream.rolled_back" not in codes(events)


def test_replace_while_the_engine_hangs_is_refused(make_spec, files) -> None:
    with Stream(FakeSegmenter(make_spec(), gate := Gate()), 30.0, 5000.0, hang_ms=50.0) as stream:
        send(stream, 1)
        until(lambda: stream.health().stale)
        with pytest.raises(DeviceError, match=r"new\.onnx: expected a stream that runs, but the engine has not"):
            stream.replace(files["new"])
        gate.opened.set()
