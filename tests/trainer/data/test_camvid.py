import pytest

from runtime.errors import DataError
from trainer.data import camvid


@pytest.mark.parametrize("root", ["", "SegNet/CamVid/"])
def test_camvid_find_matches_photos_of_either_kind_with_masks(root: str) -> None:
    names = [f"{root}{name}" for name in ("train/2.jpg", "train/10.PNG", "trainannot/2.png", "trainannot/10.png")]
    found = camvid.find([*names, f"{root}val/3.jpg", f"{root}valannot/3.png", f"{root}train.txt"])
    assert found is not None
    assert found.root == root
    assert found.splits == {"train": ("train/2.jpg", "train/10.PNG"), "val": ("val/3.jpg",)}
    assert found.masks["train/10.PNG"] == "trainannot/10.png"
    assert (found.unmatched, found.others) == ({}, ())


def test_camvid_find_missing_partners_are_told_by_split() -> None:
    found = camvid.find(["train/1.jpg", "trainannot/2.png", "test/1.jpg", "val/1.jpg", "valannot/1.png", "val/x.txt"])
    assert found is not None
    assert found.splits == {"train": (), "val": ("val/1.jpg",)}
    assert found.unmatched == {"train": ("train/1.jpg", "trainannot/2.png"), "test": ("test/1.jpg",)}
    assert found.others == ("val/x.txt",)


@pytest.mark.parametrize("names", [["train/1.jpg", "val/1.jpg"], ["a/trainannot.png"], ["trainannots/1.png"]])
def test_camvid_find_without_annot_folders_finds_nothing(names: list[str]) -> None:
    assert camvid.find(names) is None


def test_camvid_find_in_two_places_is_refused() -> None:
    with pytest.raises(DataError, match=r"CamVid's folders, .* got them in 2: a/, b/"):
        camvid.find(["a/trainannot/1.png", "b/valannot/1.png"])
