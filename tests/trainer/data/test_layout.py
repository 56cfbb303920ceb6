import pytest

from runtime.errors import DataError
from trainer.data.layout import is_picture, match_files, natural_order, only_root, stem


def test_natural_order_sorts_numbers_by_value() -> None:
    names = ["val/a10b2.jpg", "val/10.jpg", "val/2.jpg", "val/01.jpg", "val/1.jpg", "val/a10b10.jpg", "val/a9b3.jpg"]
    assert sorted(names, key=natural_order) == [
        "val/01.jpg",
        "val/1.jpg",
        "val/2.jpg",
        "val/10.jpg",
        "val/a9b3.jpg",
        "val/a10b2.jpg",
        "val/a10b10.jpg",
    ]


def test_natural_order_very_long_numbers_are_sorted_too() -> None:
    assert natural_order("9" * 6000) > natural_order("8" * 6000) > natural_order("9" * 5999)  # int() takes 4300 digits


def test_match_files_pairs_by_key_and_leaves_the_rest_unmatched() -> None:
    photos = [(("train", "10"), "p/10.jpg"), (("train", "9"), "p/9.jpg"), (("val", "1"), "v/1.jpg")]
    masks = [(("train", "9"), "m/9.png"), (("train", "10"), "m/10.png"), (("test", "1"), "t/1.png")]
    layout = match_files("any", "root/", photos, masks, ["p/b.txt", "p/a.txt"])
    assert layout.splits == {"train": ("p/9.jpg", "p/10.jpg"), "val": ()}
    assert layout.masks == {"p/9.jpg": "m/9.png", "p/10.jpg": "m/10.png"}
    assert layout.unmatched == {"val": ("v/1.jpg",), "test": ("t/1.png",)}
    assert layout.others == ("p/a.txt", "p/b.txt")
    assert "root/v/1.jpg" in layout.files()
    assert "root/m/9.png" in layout.files()


def test_match_files_two_photos_of_one_key_are_both_left_out() -> None:
    photos = [(("train", "1"), "p/1.jpg"), (("train", "1"), "p/1.png")]
    layout = match_files("any", "", photos, [(("train", "1"), "m/1.png")], [])
    assert layout.splits == {"train": (), "val": ()}
    assert layout.unmatched == {"train": ("m/1.png", "p/1.jpg", "p/1.png")}


def test_only_root_more_than_one_is_refused() -> None:
    assert only_root([], "frames") is None
    assert only_root([""], "frames") == ""
    with pytest.raises(DataError, match=r"expected frames in one place, got them in 2: \./, b/"):
        only_root(["b/", ""], "frames")


@pytest.mark.parametrize(
    ("name", "picture", "shared"), [("a.b.JPG", True, "a.b"), ("a.jpeg", True, "a"), ("a.tif", False, "a")]
)
def test_is_picture_and_stem_go_by_the_last_suffix(name: str, picture: bool, shared: str) -> None:
    assert is_picture(name) is picture
    assert stem(name) == shared
