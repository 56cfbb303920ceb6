from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from export.proof.frames import ChosenFrames, choose_frames
from runtime.errors import DataError, UsageError
from trainer.data.dataset import Dataset, open_dataset


def test_chosen_frames_are_those_of_the_split_read_when_asked_for(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_dataset(pairs, "categories")
    read: list[int] = []
    plain = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, split, index: read.append(index) or plain(self, split, index))
    chosen = ChosenFrames(source, (0, 2, 3))
    assert (len(chosen), read) == (3, [])
    assert [frame.name for frame in chosen] == ["val/1.jpg", "val/3.jpg", "val/4.jpg"]
    assert read == [0, 2, 3]
    np.testing.assert_array_equal(chosen[1].image_hwc, plain(source, "val", 2).image_hwc)
    assert [frame.name for frame in chosen[1:]] == ["val/3.jpg", "val/4.jpg"]
    assert ChosenFrames(source, (11,), "train")[0].name == "train/12.jpg"


def test_chosen_frames_error_in_a_frame_is_not_taken_for_the_end(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Dataset, split: str, index: int) -> None:
        raise IndexError("planted")

    monkeypatch.setattr(Dataset, "read", broken)
    with pytest.raises(IndexError, match="planted"):
        list(ChosenFrames(open_dataset(pairs, "categories"), (0, 1)))


def run_of(pairs: Path) -> SimpleNamespace:
    return SimpleNamespace(label_space="categories", classes=open_dataset(pairs, "categories").label_space.classes)


def test_choose_frames_spreads_over_the_split(pairs: Path) -> None:
    assert choose_frames(run_of(pairs), pairs, 2).indices == (0, 3)
    assert choose_frames(run_of(pairs), pairs, 200).indices == (0, 1, 2, 3)
    assert choose_frames(run_of(pairs), pairs, 3, "train").split == "train"


def test_choose_frames_refuses_no_frames_an_absent_split_and_other_classes(pairs: Path) -> None:
    with pytest.raises(UsageError, match="--frames must be 1 or more, got 0"):
        choose_frames(run_of(pairs), pairs, 0)
    with pytest.raises(DataError, match="'test'"):
        choose_frames(run_of(pairs), pairs, 5, "test")
    other = SimpleNamespace(label_space="categories", classes=("road", "sky"))
    with pytest.raises(DataError, match="expected the run's classes road, sky, got flat"):
        choose_frames(other, pairs, 5)
