"""Videos through PyAV, made on the spot; cameras through a stub, for no machine of ours need have one."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.errors import DataError, MissingPackage, UsageError
from segtool.replay.recording import open_recording
from segtool.replay.video import _decode, camera_recording, to_rgb, video_recording

from .conftest import BLUE, GREEN, RED, striped

av = pytest.importorskip("av", reason="needs the extra `video` (PyAV)")

COLOURS = (np.array((200, 30, 40)), np.array((30, 180, 60)), np.array((20, 40, 210)))


def test_video_recording_has_every_frame_in_order_and_the_rate(save_video):
    path = save_video([striped(colour, colour) for colour in (RED, GREEN, BLUE)], rate=20)
    recording = open_recording(str(path))
    shots = list(recording.shots())
    assert recording.rate_hz == 20.0
    assert recording.inputs == (path,)
    assert [shot.name for shot in shots] == ["000000", "000001", "000002"]
    for shot, colour in zip(shots, (RED, GREEN, BLUE), strict=True):
        assert shot.image_hwc.shape == (16, 32, 3)
        np.testing.assert_allclose(shot.image_hwc, np.broadcast_to(colour, (16, 32, 3)), atol=6)


# BT.601 is 5 and BT.709 is 1 in FFmpeg, of swscale and of AVColorSpace; 2 is "not said"
@pytest.mark.parametrize(
    ("matrix", "named", "column_px", "height_px"), [(5, 5, 32, 64), (1, 1, 32, 64), (5, 2, 32, 64), (1, 2, 32, 720)]
)
def test_video_colours_follow_the_matrix_named_and_else_the_height(save_video, matrix, named, column_px, height_px):
    image_hwc = striped(*(tuple(colour) for colour in COLOURS), height_px=height_px, column_px=column_px)
    path = save_video([image_hwc], matrix=matrix, named=named)
    (shot,) = video_recording(path).shots()
    for column, colour in enumerate(COLOURS):  # the wrong matrix is off by 13 and more
        np.testing.assert_allclose(shot.image_hwc[height_px // 2, 16 + 32 * column], colour, atol=4)


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2)])
def test_to_rgb_turns_a_frame_the_right_way_up(rotation, turns):
    stored_hwc = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    frame = SimpleNamespace(colorspace=1, height=2, rotation=rotation, to_ndarray=lambda **_: stored_hwc)
    upright_hwc = to_rgb(frame)
    np.testing.assert_array_equal(upright_hwc, np.rot90(stored_hwc, turns))
    assert upright_hwc.flags.c_contiguous


def test_video_recording_cut_short_gives_what_is_there(save_video):
    path = save_video([striped(RED, GREEN)] * 30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    readable = [shot for shot in video_recording(path).shots() if shot.image_hwc is not None]
    assert 5 < len(readable) < 30


def test_video_recording_with_a_damaged_packet_names_it_and_goes_on(save_video, monkeypatch):
    path = save_video([striped(RED, GREEN)] * 5)
    real = av.open(str(path))
    packets = list(real.demux(real.streams.video[0]))

    def damaged():
        raise av.InvalidDataError(1, "planted damage")

    packets[2] = SimpleNamespace(decode=damaged)
    container = SimpleNamespace(demux=lambda _: iter(packets), streams=real.streams)
    shots = list(_decode(container, "drive.mkv"))
    assert [shot.error is None for shot in shots] == [True, True, False, True, True]
    assert [shot.name for shot in shots] == [f"{number:06d}" for number in range(5)]
    assert "drive.mkv" in str(shots[2].error)
    assert "planted damage" in str(shots[2].error)
    real.close()


def test_video_recording_that_can_not_be_read_any_further_says_so_at_its_end(save_video):
    path = save_video([striped(RED, GREEN)] * 5)
    real = av.open(str(path))

    def packets(stream):
        yield from list(real.demux(stream))[:2]
        raise av.InvalidDataError(1, "planted end")

    *_, last = _decode(SimpleNamespace(demux=packets, streams=real.streams), "drive.mkv")
    assert "planted end" in str(last.error)
    real.close()


@pytest.mark.parametrize(("name", "data"), [("drive.mp4", b"no video" * 99), ("empty.mkv", b"")])
def test_video_recording_of_another_file_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=f"{name}: expected a video"):
        open_recording(str(tmp_path / name))


def test_video_recording_of_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.mp4.*no such file"):
        open_recording(str(tmp_path / "absent.mp4"))


def test_video_recording_of_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(DataError, match=r"sound\.wav: expected a video"):
        open_recording(str(path))


def test_open_recording_without_pyav_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "drive.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "av", None)
    for source in (str(tmp_path / "drive.mp4"), "camera:0"):
        with pytest.raises(MissingPackage, match=r'pip install "segtool\[video\]"'):
            open_recording(source)


@pytest.mark.parametrize(
    ("platform", "kind", "name"),
    [("linux", "v4l2", "/dev/video2"), ("darwin", "avfoundation", "2"), ("win32", "dshow", "video=2")],
)
def test_camera_recording_asks_the_system_for_its_device_and_rate(save_video, monkeypatch, platform, kind, name):
    path, real_open = save_video([striped(RED, GREEN)] * 3), av.open
    asked = []

    def stub(file, mode, **asked_for):
        asked.append((file, mode, asked_for))
        return real_open(str(path))

    monkeypatch.setattr(av, "open", stub)
    monkeypatch.setattr(sys, "platform", platform)
    recording = camera_recording("2", 15)
    assert recording.live
    assert asked == []
    shots = list(recording.shots())
    assert asked == [(name, "r", {"format": kind, "options": {"framerate": "15"}})]
    arrived = [shot.arrived_ns for shot in shots]
    assert len(arrived) == 3
    assert arrived == sorted(arrived)


def test_camera_recording_that_is_not_there_says_so():
    recording = open_recording("camera:977")
    with pytest.raises(DataError, match="expected a camera"):
        next(recording.shots())


@pytest.mark.parametrize(("device", "platform"), [("", "linux"), ("0", "plan9")])
def test_camera_recording_without_a_device_or_on_another_system_is_refused(monkeypatch, device, platform):
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(UsageError, match=f"got '{device}' on {platform}"):
        camera_recording(device, None)
