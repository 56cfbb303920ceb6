import pytest

from runtime.errors import DataError
from trainer.data.recognise import find_layout

PAIRS = ("train/1.jpg", "val/1.jpg")
CAMVID = (*PAIRS, "trainannot/1.png", "valannot/1.png")
TREE = ("leftImg8bit/train/ulm/a_leftImg8bit.png", "gtFine/train/ulm/a_gtFine_labelIds.png")
FOLDER = ("images/train/1.jpg", "masks/train/1.png", "classes.toml")


def below(folder: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


@pytest.mark.parametrize(
    ("names", "layout"), [(PAIRS, "pairs"), (CAMVID, "camvid"), (TREE, "cityscapes"), (FOLDER, "folder")]
)
@pytest.mark.parametrize("folder", [None, "a/b"])
def test_find_layout_each_is_recognised_at_any_depth(names: tuple[str, ...], layout: str, folder: str | None) -> None:
    found = find_layout(names if folder is None else below(folder, names))
    assert found.name == layout
    assert found.root == ("" if folder is None else f"{folder}/")


def test_find_layout_photos_of_camvid_are_never_taken_for_pairs() -> None:
    found = find_layout(("train/1.jpg", "train/2.jpg", "val/1.jpg", "val/note.txt", "trainannot/1.png", "train/x.txt"))
    assert found.name == "camvid"
    assert found.unmatched == {"train": ("train/2.jpg",), "val": ("val/1.jpg",)}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (below("a", PAIRS) + below("b", CAMVID), r"one data set, got 2: camvid in b/, pairs in a/"),
        (TREE + FOLDER, r"one data set, got 2: cityscapes in \./, folder in \./"),
        (TREE + PAIRS, r"one data set, got 2: cityscapes in \./, pairs in \./"),
        (below("a", FOLDER) + below("b", FOLDER), r"folders images and masks in one place, got them in 2: a/, b/"),
        (below("a", PAIRS) + below("b", PAIRS), r"in one place, got them in 2: a/, b/"),
    ],
)
def test_find_layout_two_data_sets_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_layout(names)


@pytest.mark.parametrize("extra", ["depth/train/1.png", "images/train/deep/1.jpg", "extra/val/1.png"])
def test_find_layout_more_pictures_within_a_data_set_are_no_second_one(extra: str) -> None:
    assert find_layout((*FOLDER, extra)).name == "folder"


def test_find_layout_photos_without_any_mask_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"got none among 1 pictures such as a/leftImg8bit/train/ulm/a_left.*add the masks"
    ):
        find_layout(("a/leftImg8bit/train/ulm/a_leftImg8bit.png", "a/gtFine/train/ulm/b_gtFine_color.png"))
    with pytest.raises(DataError, match="got none among 2 pictures"):
        find_layout(("train/1.jpg", "trainannot/2.png"))
    with pytest.raises(DataError, match=r"got none among 1 pictures such as train/1\.jpg; add the masks"):
        find_layout(("train/1.jpg", "trainannot/notes.txt"))


@pytest.mark.parametrize(
    "names", [("images/train/1.jpg", "images/val/1.jpg"), ("train/images/1.jpg", "val/images/2.jpg")]
)
@pytest.mark.parametrize("root", ["", "a/"])
def test_find_layout_folder_without_masks_is_never_taken_for_pairs(names: tuple[str, ...], root: str) -> None:
    with pytest.raises(DataError, match=rf"got none among 2 pictures such as {root}.*; add the masks"):
        find_layout(tuple(root + name for name in (*names, "classes.toml")))


def test_find_layout_nothing_known_says_what_was_looked_for() -> None:
    with pytest.raises(
        DataError, match=r"Cityscapes, CamVid or a folder with classes\.toml .* got 1 files such as x/7\.jpg"
    ):
        find_layout(("x/7.jpg",))
    with pytest.raises(DataError, match=r"got 1 files such as trainannot/notes\.txt"):
        find_layout(("trainannot/notes.txt",))
