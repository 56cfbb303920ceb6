import io

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from trainer.data.images import encode_png
from trainer.data.pairs import find, split_pair


@pytest.mark.parametrize("root", ["", "set/", "a/b c/d/"])
def test_find_finds_the_splits_at_any_depth(root: str) -> None:
    found = find([f"{root}val/2.JPG", f"{root}train/10.png", f"{root}train/9.jpeg", f"{root}test/1.jpg", "notes.md"])
    assert found is not None
    assert found.root == root
    assert found.splits == {
        "train": ("train/9.jpeg", "train/10.png"),
        "val": ("val/2.JPG",),
        "test": ("test/1.jpg",),
    }


def test_find_missing_split_is_there_but_empty() -> None:
    found = find(["set/val/1.jpg"])
    assert found is not None
    assert found.splits == {"train": (), "val": ("val/1.jpg",)}


def test_find_other_files_beside_pictures_are_told() -> None:
    found = find(["set/train/1.jpg", "set/train/1.txt", "set/val/2.bmp", "set/readme.txt"])
    assert found is not None
    assert found.others == ("train/1.txt", "val/2.bmp")


@pytest.mark.parametrize(
    "names", [[], ["1.jpg"], ["training/1.jpg"], ["train/deeper/1.jpg"], ["test/1.jpg"], ["train/1.txt"]]
)
def test_find_without_train_and_val_finds_nothing(names: list[str]) -> None:
    assert find(names) is None


def test_find_in_two_places_is_refused() -> None:
    with pytest.raises(DataError, match=r"in one place, got them in 2: a/, b/"):
        find(["a/train/1.jpg", "a/val/1.jpg", "b/train/1.jpg"])


def test_split_pair_halves_are_exact() -> None:
    both = np.random.default_rng(0).integers(0, 256, (6, 12, 3), dtype=np.uint8)
    photo, mask = split_pair(encode_png(both), "1.png")
    np.testing.assert_array_equal(photo, both[:, :6])
    np.testing.assert_array_equal(mask, both[:, 6:])
    assert photo.flags.c_contiguous
    assert mask.flags.c_contiguous


@pytest.mark.parametrize(("height", "width"), [(360, 480), (5, 9), (256, 256), (10, 40)])
def test_split_pair_not_two_to_one_is_refused(height: int, width: int) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "JPEG")
    with pytest.raises(DataError, match=rf"set/train/3\.jpg: expected .* two to one, got {width}x{height}"):
        split_pair(stream.getvalue(), "set/train/3.jpg")
