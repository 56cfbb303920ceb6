import pytest

from trainer.data import folder


@pytest.mark.parametrize(("photos", "masks"), [("{}/images", "{}/masks"), ("images/{}", "masks/{}")])
@pytest.mark.parametrize("root", ["", "a/b/"])
def test_folder_find_takes_both_orders_and_deeper_folders(root: str, photos: str, masks: str) -> None:
    names = [f"{root}{photos.format('train')}/day/1.jpg", f"{root}{masks.format('train')}/day/1.png"]
    names += [f"{root}{photos.format('val')}/1.jpg", f"{root}{masks.format('val')}/1.png", f"{root}classes.toml"]
    found = folder.find(names)
    assert found is not None
    assert found.root == root
    assert found.splits == {
        "train": (f"{photos.format('train')}/day/1.jpg",),
        "val": (f"{photos.format('val')}/1.jpg",),
    }
    assert found.masks[f"{photos.format('val')}/1.jpg"] == f"{masks.format('val')}/1.png"


def test_folder_find_missing_partner_and_other_file_are_told() -> None:
    found = folder.find(["images/train/1.jpg", "images/train/2.jpg", "masks/train/1.png", "masks/train/notes.txt"])
    assert found is not None
    assert found.unmatched == {"train": ("images/train/2.jpg",)}
    assert found.others == ("masks/train/notes.txt",)


@pytest.mark.parametrize("names", [["images/train/1.jpg"], ["images/1.jpg", "masks/1.png"], ["train/images.jpg"]])
def test_folder_find_without_both_kinds_by_split_finds_nothing(names: list[str]) -> None:
    assert folder.find(names) is None
