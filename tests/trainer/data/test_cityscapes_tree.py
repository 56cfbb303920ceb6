import pytest

from trainer.data import cityscapes_tree


@pytest.mark.parametrize("root", ["", "data/cityscapes/"])
def test_cityscapes_find_matches_across_cities_and_leaves_other_masks_alone(root: str) -> None:
    stems = ["train/aachen/aachen_000000_000019", "train/ulm/ulm_000000_000019", "val/bonn/bonn_000001_000019"]
    names = [f"{root}leftImg8bit/{stem}_leftImg8bit.png" for stem in stems]
    names += [f"{root}gtFine/{stem}_gtFine_{kind}" for stem in stems for kind in ("labelIds.png", "color.png")]
    names += [f"{root}gtFine/{stem}_gtFine_polygons.json" for stem in stems]
    found = cityscapes_tree.find([*names, f"{root}README"])
    assert found is not None
    assert found.root == root
    assert {split: len(frames) for split, frames in found.splits.items()} == {"train": 2, "val": 1}
    assert found.masks[f"leftImg8bit/{stems[2]}_leftImg8bit.png"] == f"gtFine/{stems[2]}_gtFine_labelIds.png"
    assert (found.unmatched, found.others) == ({}, ())


def test_cityscapes_find_missing_mask_and_strange_file_are_told() -> None:
    found = cityscapes_tree.find(
        ["leftImg8bit/train/ulm/a_leftImg8bit.png", "leftImg8bit/train/ulm/Thumbs.db", "leftImg8bit/train/ulm/b.png"]
    )
    assert found is not None
    assert found.unmatched == {"train": ("leftImg8bit/train/ulm/a_leftImg8bit.png",)}
    assert found.others == ("leftImg8bit/train/ulm/Thumbs.db", "leftImg8bit/train/ulm/b.png")


@pytest.mark.parametrize(
    "names", [["gtFine/train/ulm/a_gtFine_labelIds.png"], ["leftImg8bit/train/a_leftImg8bit.png"], ["train/1.jpg"]]
)
def test_cityscapes_find_without_photos_of_a_city_finds_nothing(names: list[str]) -> None:
    assert cityscapes_tree.find(names) is None
