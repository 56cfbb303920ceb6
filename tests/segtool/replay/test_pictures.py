"""Which pictures are a recording, and in what order."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError, UsageError
from segtool.replay.pictures import picture_recording
from segtool.replay.recording import open_recording

from .conftest import BLUE, GREEN, RED


def names(recording):
    return [shot.name for shot in recording.shots()]


def test_picture_recording_of_a_folder_is_in_natural_order(save_pictures):
    folder = save_pictures(*[(RED,)] * 11)
    assert names(picture_recording(folder)) == [f"{number}.png" for number in range(1, 12)]


def test_picture_recording_of_a_zip_reads_it_in_place_each_time_from_the_start(save_pictures, tmp_path):
    folder = save_pictures((RED,), (GREEN,))
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"day/{file.name}")
    recording = open_recording(str(tmp_path / "day.zip"))
    assert names(recording) == names(recording) == ["day/1.png", "day/2.png"]
    assert [shot.image_hwc[0, 0].tolist() for shot in recording.shots()] == [list(RED), list(GREEN)]
    assert recording.inputs == ()


def test_picture_recording_of_image_pairs_shows_the_photo_alone(pairs_folder):
    recording = picture_recording(pairs_folder, "val")
    (shot,) = recording.shots()
    assert shot.name == "val/1.png"
    with Image.open(pairs_folder / "val" / "1.png") as picture:
        np.testing.assert_array_equal(shot.image_hwc, np.asarray(picture)[:, :4])
    assert names(picture_recording(pairs_folder)) == ["train/1.png", "val/1.png"]
    assert "layout 'pairs'" in recording.told


def test_picture_recording_of_a_data_set_leaves_the_masks_out(tmp_path):
    for folder, mode in (("train", "RGB"), ("trainannot", "L"), ("val", "RGB"), ("valannot", "L")):
        (tmp_path / folder).mkdir()
        Image.new(mode, (4, 4)).save(tmp_path / folder / "a.png")
    assert names(picture_recording(tmp_path)) == ["train/a.png", "val/a.png"]


def test_picture_recording_of_a_broken_image_gives_its_error_in_its_place(save_pictures):
    folder = save_pictures((RED,), (GREEN,), (BLUE,))
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:-20])
    first, broken, last = picture_recording(folder).shots()
    assert broken.image_hwc is None
    assert "2.png" in str(broken.error)
    assert (first.error, last.error) == (None, None)


def test_picture_recording_of_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"\.jpg, \.jpeg, \.png"):
        picture_recording(tmp_path)


@pytest.mark.parametrize(("split", "error", "told"), [("night", DataError, "--split night")])
def test_picture_recording_of_a_split_that_is_not_there_is_refused(pairs_folder, split, error, told):
    with pytest.raises(error, match=told):
        picture_recording(pairs_folder, split)


def test_open_recording_with_a_split_of_what_is_no_data_set_is_refused(save_pictures, tmp_path):
    with pytest.raises(UsageError, match="--split val"):
        open_recording(str(save_pictures((RED,), (GREEN,))), split="val")
    with pytest.raises(UsageError, match="--split val"):
        open_recording(str(tmp_path / "drive.mp4"), split="val")
