import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError, UsageError
from trainer.data.dataset import open_dataset


def test_open_dataset_folder_and_zip_give_the_same_frames(pairs_folder: Path, zip_folder: Callable[..., Path]) -> None:
    for path in (pairs_folder, zip_folder(pairs_folder, "deep/er/")):
        dataset = open_dataset(path)
        assert dataset.path == path
        assert dataset.layout == "pairs"
        assert dataset.label_space.name == "categories"
        assert dataset.splits == {
            "train": ("train/1.png", "train/2.png", "train/10.png"),
            "val": ("val/3.png", "val/4.png"),
        }
        frame = dataset.read("train", 2)
        assert frame.name == "train/10.png"
        assert (frame.image_hwc == 10).all()
        np.testing.assert_array_equal(frame.labels_hw, np.repeat([[0], [6], [255]], 8, axis=0).repeat(24, axis=1))


def test_open_dataset_label_space_decides_the_labels(pairs_folder: Path) -> None:
    labels = open_dataset(pairs_folder, "cityscapes").read("val", 0).labels_hw
    assert labels[:, 0].tolist() == [0] * 8 + [13] * 8 + [255] * 8


def test_open_dataset_unknown_layout_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "7.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"pairs in folders 'train' and 'val', .*got 1 files such as 7\.jpg"):
        open_dataset(tmp_path)


def test_open_dataset_two_places_names_the_path(tmp_path: Path, pairs_folder: Path) -> None:
    (pairs_folder / "other" / "train").mkdir(parents=True)
    (pairs_folder / "other" / "train" / "1.png").write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"set: expected folders train and val in one place, got them in 2: inner/, other/"
    ):
        open_dataset(pairs_folder)


def test_open_dataset_unknown_label_space_is_refused(pairs_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"'pairs' can give \(categories, cityscapes, names\), got 'coco'"):
        open_dataset(pairs_folder, "coco")


def test_read_missing_split_says_which_there_are(pairs_folder: Path) -> None:
    with pytest.raises(DataError, match=r"in a folder 'test', got none \(frames by split: train 3, val 2\)"):
        open_dataset(pairs_folder).read("test", 0)


@pytest.mark.parametrize("index", [-1, 2])
def test_read_index_out_of_range_is_refused(pairs_folder: Path, index: int) -> None:
    with pytest.raises(DataError, match=f"expected a frame of 'val' from 0 to 1, got {index}"):
        open_dataset(pairs_folder).read("val", index)


def test_read_damaged_frame_is_named(pairs_folder: Path) -> None:
    file = pairs_folder / "inner" / "train" / "2.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"set/inner/train/2\.png: expected a complete JPEG or PNG"):
        open_dataset(pairs_folder).read("train", 1)


def test_dataset_pickled_reads_the_same(pairs_folder: Path, zip_folder: Callable[..., Path]) -> None:
    dataset = open_dataset(zip_folder(pairs_folder))
    dataset.read("train", 0)
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes, as a worker gets them
    np.testing.assert_array_equal(copy.read("val", 1).labels_hw, dataset.read("val", 1).labels_hw)
    assert copy.fingerprint() == dataset.fingerprint()


def test_fingerprint_is_the_same_for_folder_and_zip_wherever_the_root_is(
    pairs_folder: Path, zip_folder: Callable[..., Path]
) -> None:
    folder = open_dataset(pairs_folder).fingerprint()
    assert len(folder) == 64
    assert open_dataset(pairs_folder / "inner").fingerprint() == folder
    assert open_dataset(zip_folder(pairs_folder)).fingerprint() == folder
    assert open_dataset(zip_folder(pairs_folder, "elsewhere/")).fingerprint() == folder


def test_fingerprint_changes_with_bytes_names_and_splits(pairs_folder: Path, pair_png: Callable[..., bytes]) -> None:
    seen = {open_dataset(pairs_folder).fingerprint()}
    train = pairs_folder / "inner" / "train"
    (train / "1.png").write_bytes(pair_png(7))
    seen.add(open_dataset(pairs_folder).fingerprint())
    (train / "1.png").rename(train / "5.png")
    seen.add(open_dataset(pairs_folder).fingerprint())
    (train / "5.png").rename(pairs_folder / "inner" / "val" / "5.png")
    seen.add(open_dataset(pairs_folder).fingerprint())
    assert len(seen) == 4


def test_open_dataset_real_pairs_have_the_known_counts_and_a_road(real_pairs: Path) -> None:
    dataset = open_dataset(real_pairs)
    assert [len(dataset.splits[split]) for split in ("train", "val")] == [2975, 250]
    assert dataset.splits["train"][:3] == ("train/1.jpg", "train/2.jpg", "train/3.jpg")
    counts = np.zeros(256, np.int64)
    for index in range(0, 250, 25):
        frame = dataset.read("val", index)
        assert frame.image_hwc.shape == (256, 256, 3)
        counts += np.bincount(frame.labels_hw.reshape(-1), minlength=256)
    assert set(np.flatnonzero(counts)) <= {0, 1, 2, 3, 4, 5, 6, 255}
    assert 0.3 < counts[0] / counts.sum() < 0.5  # flat: over a third of what a camera behind a windscreen sees
