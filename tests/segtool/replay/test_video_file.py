"""Overlays as a video: whole or not there, and as long as what was filmed."""

import errno
from fractions import Fraction

import numpy as np
import pytest

from runtime.errors import StorageError, UsageError
from segtool.replay.video_file import VideoFile

from .conftest import BLUE, GREEN, RED, striped

av = pytest.importorskip("av", reason="needs the extra `video` (PyAV)")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_video_file_shows_each_picture_when_it_was_taken(tmp_path, suffix):
    path = tmp_path / "sub" / f"overlay{suffix}"
    video = VideoFile(path, 10.0)
    for index, colour in ((0, RED), (1, GREEN), (4, BLUE)):  # 2 and 3 had no answer
        video.add(index, striped(colour, colour))
    assert not path.exists()
    video.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
        assert [round(float(frame.time * 10)) for frame in frames] == [0, 1, 4]
        for frame, colour in zip(frames, (RED, GREEN, BLUE), strict=True):
            shown = frame.to_ndarray(format="rgb24")
            np.testing.assert_allclose(shown, np.broadcast_to(colour, (16, 32, 3)), atol=12)


def test_video_file_of_a_rate_that_is_no_whole_number_keeps_it(tmp_path):
    video = VideoFile(tmp_path / "o.mkv", 30000 / 1001)
    for index in range(3):
        video.add(index, striped(RED, GREEN))
    video.close()
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert abs(container.streams.video[0].average_rate - Fraction(30000, 1001)) < Fraction(1, 10)


def test_video_file_of_odd_and_changing_sizes_has_the_first_made_even(tmp_path):
    video = VideoFile(tmp_path / "o.mp4", 10.0)
    video.add(0, striped(RED, height_px=17, column_px=33))
    video.add(1, striped(RED, height_px=40, column_px=20))
    video.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [(32, 16)] * 2


def test_video_file_without_a_picture_is_none(tmp_path):
    VideoFile(tmp_path / "o.mp4", 10.0).close()
    assert list(tmp_path.iterdir()) == []


def test_video_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"o\.gif: .*\.mp4 or \.mkv"):
        VideoFile(tmp_path / "o.gif", 10.0)


def test_video_file_where_nothing_can_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("where the folder should be")
    with pytest.raises(StorageError, match=r"file/o\.mp4"):
        VideoFile(tmp_path / "file" / "o.mp4", 10.0)


def test_video_file_on_a_full_disk_leaves_the_older_one_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "o.mp4"
    path.write_text("older")
    video = VideoFile(path, 10.0)

    def full(*_):
        raise OSError(errno.ENOSPC, "planted")

    monkeypatch.setattr("segtool.replay.video_file.os.fsync", full)
    video.add(0, striped(RED, GREEN))
    with pytest.raises(StorageError, match="disk full"):
        video.close()
    assert [file.name for file in tmp_path.iterdir()] == ["o.mp4"]
    assert path.read_text() == "older"
