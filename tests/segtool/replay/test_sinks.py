"""What is refused before a frame is shown; what is written is in test_commands_stream."""

import pytest

from runtime.errors import UsageError
from segtool.replay.pictures import picture_recording
from segtool.replay.recording import open_recording
from segtool.replay.sinks import Wanted, open_sinks

from .conftest import GREEN, RED, striped

PALETTE = ((1, 2, 3), (4, 5, 6))


def test_open_sinks_of_nothing_wanted_is_none(save_pictures):
    assert open_sinks(Wanted(), picture_recording(save_pictures((RED,))), PALETTE, 30.0) == []


def test_open_sinks_with_overlays_and_no_folder_is_refused(save_pictures):
    with pytest.raises(UsageError, match="--overlay was given without --out"):
        open_sinks(Wanted(overlay=True), picture_recording(save_pictures((RED,))), PALETTE, 30.0)


def test_open_sinks_into_the_folder_of_the_pictures_is_refused(save_pictures):
    folder = save_pictures((RED,))
    with pytest.raises(UsageError, match=r"1\.png.*overwrite this input picture"):
        open_sinks(Wanted(out=folder), picture_recording(folder), PALETTE, 30.0)


def test_open_sinks_onto_the_video_that_is_read_is_refused(save_video):
    path = save_video([striped(RED, GREEN)])
    (path.parent / "sub").mkdir()
    roundabout = path.parent / "sub" / ".." / path.name
    for read, written in ((path, roundabout), (roundabout, path)):
        with pytest.raises(UsageError, match=r"drive\.mkv: the video would overwrite"):
            open_sinks(Wanted(video=written), open_recording(str(read)), PALETTE, 30.0)
