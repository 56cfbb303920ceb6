"""`open_dataset` on files of every layout that keeps photo and mask apart, as a folder and as a zip."""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError, UsageError
from trainer.data.dataset import open_dataset

HEIGHT_PX, WIDTH_PX = 6, 10
BY_ID = 'ignore_ids = [0]\n[[classes]]\nname = "road"\nids = [7, 300]\n[[classes]]\nname = "car"\nids = [1]\n'
BY_COLOUR = """
name = "yard"
[[classes]]
name = "road"
colours = [[9, 0, 0]]
[[classes]]
name = "car"
colours = [[0, 9, 0]]
"""


def write(file: Path, pixels: np.ndarray, palette: list[int] | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture.putpalette(palette)
    picture.save(file)


def photo(grey: int = 50) -> np.ndarray:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), grey, np.uint8)


def mask(top: object, bottom: object, dtype: type = np.uint8) -> np.ndarray:
    rows = [top] * (HEIGHT_PX // 2) + [bottom] * (HEIGHT_PX - HEIGHT_PX // 2)
    return np.array([[value] * WIDTH_PX for value in rows], dtype)


@pytest.fixture
def camvid_folder(tmp_path: Path) -> Path:
    root = tmp_path / "set" / "CamVid"
    for split in ("train", "val"):
        write(root / split / "0001.jpg", photo())
        write(root / f"{split}annot" / "0001.png", mask(3, 11))
    return tmp_path / "set"


@pytest.fixture
def tree_folder(tmp_path: Path) -> Path:
    for split, city in (("train", "ulm"), ("val", "bonn")):
        write(tmp_path / "set" / "leftImg8bit" / split / city / f"{city}_1_leftImg8bit.png", photo())
        write(tmp_path / "set" / "gtFine" / split / city / f"{city}_1_gtFine_labelIds.png", mask(26, 3))
    return tmp_path / "set"


@pytest.fixture
def own_folder(tmp_path: Path) -> Callable[..., Path]:
    def make(classes: str, *masks: np.ndarray, palette: list[int] | None = None) -> Path:
        root = tmp_path / "set"
        for split in ("train", "val"):
            for number, pixels in enumerate(masks, 1):
                write(root / split / "images" / f"{number}.png", photo(number))
                write(root / split / "masks" / f"{number}.png", pixels, palette)
        (root / "classes.toml").write_text(classes)
        return root

    return make


def both(folder: Path, zip_folder: Callable[..., Path]) -> tuple[Path, Path]:
    return folder, zip_folder(folder, "deep/")


def halves(labels_hw: np.ndarray) -> tuple[int, int]:
    assert labels_hw.shape == (HEIGHT_PX, WIDTH_PX)
    np.testing.assert_array_equal(labels_hw, mask(labels_hw[0, 0], labels_hw[-1, 0]))
    return int(labels_hw[0, 0]), int(labels_hw[-1, 0])


def test_open_dataset_camvid_reads_ids(camvid_folder: Path, zip_folder: Callable[..., Path]) -> None:
    for path in both(camvid_folder, zip_folder):
        dataset = open_dataset(path)
        assert (dataset.layout, dataset.label_space.name) == ("camvid", "camvid")
        frame = dataset.read("val", 0)
        assert frame.name == "val/0001.jpg"
        assert frame.image_hwc.shape == (HEIGHT_PX, WIDTH_PX, 3)
        assert halves(frame.labels_hw) == (3, 255)


@pytest.mark.parametrize(("space", "car"), [(None, 6), ("categories", 6), ("cityscapes", 13), ("names", 19)])
def test_open_dataset_cityscapes_tree_gives_each_of_its_spaces(
    tree_folder: Path, zip_folder: Callable[..., Path], space: str | None, car: int
) -> None:
    for path in both(tree_folder, zip_folder):
        dataset = open_dataset(path, space)
        assert (dataset.layout, dataset.label_space.name) == ("cityscapes", space or "categories")
        frame = dataset.read("train", 0)
        assert frame.name == "leftImg8bit/train/ulm/ulm_1_leftImg8bit.png"
        top, bottom = halves(frame.labels_hw)
        assert dataset.label_space.classes[top] == ("vehicle" if car == 6 else "car")
        assert bottom == 255 if space != "names" else True


@pytest.mark.parametrize(
    ("classes", "pixels", "palette"),
    [
        (BY_ID, mask(7, 1), None),
        (BY_ID, mask(300, 1, np.uint16), None),
        (BY_ID, mask(7, 1), [200, 200, 200, 0, 0, 0, *[90] * 18]),  # a palette whose greys are other numbers
        (BY_COLOUR, mask((9, 0, 0), (0, 9, 0)), None),
        (BY_COLOUR, mask(1, 0), [0, 9, 0, 9, 0, 0]),  # a palette picture of these colours
    ],
)
def test_open_dataset_folder_reads_masks_of_every_kind(
    own_folder: Callable[..., Path],
    zip_folder: Callable[..., Path],
    classes: str,
    pixels: np.ndarray,
    palette: list[int] | None,
) -> None:
    for path in both(own_folder(classes, pixels, palette=palette), zip_folder):
        dataset = open_dataset(path)
        assert dataset.layout == "folder"
        assert dataset.label_space.name == ("own" if classes == BY_ID else "yard")
        assert dataset.label_space.classes == ("road", "car")
        assert halves(dataset.read("train", 0).labels_hw) == (0, 1)
        assert open_dataset(path, dataset.label_space.name).label_space == dataset.label_space


def test_open_dataset_space_that_a_layout_can_not_give_is_refused(
    camvid_folder: Path, own_folder: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"'camvid' can give \(camvid\), got 'categories'"):
        open_dataset(camvid_folder, "categories")
    (tmp_path / "set").rename(tmp_path / "moved")
    path = own_folder(BY_ID, mask(7, 1))
    with pytest.raises(UsageError, match=r"can give \(own\), got 'camvid'"):
        open_dataset(path, "camvid")


def test_open_dataset_folder_without_classes_file_says_what_to_write(own_folder: Callable[..., Path]) -> None:
    path = own_folder(BY_ID, mask(7, 1))
    (path / "classes.toml").unlink()
    with pytest.raises(
        DataError, match=r"set/classes\.toml: expected .* got none; write one with a table \[\[classes\]\]"
    ):
        open_dataset(path)


def test_read_value_out_of_range_names_file_value_place_and_count(camvid_folder: Path) -> None:
    pixels = mask(3, 11)
    pixels[4, 7] = pixels[5, 0] = 12
    write(camvid_folder / "CamVid" / "valannot" / "0001.png", pixels)
    with pytest.raises(DataError, match=r"set/CamVid/valannot/0001\.png: .* value 12 at x 7, y 4 \(2 pixels\)"):
        open_dataset(camvid_folder).read("val", 0)


def test_read_unknown_colour_names_it_with_place_and_count(own_folder: Callable[..., Path]) -> None:
    pixels = mask((9, 0, 0), (0, 9, 0))
    pixels[1, 2] = (9, 0, 1)
    with pytest.raises(DataError, match=r"train/masks/1\.png: .* value \(9, 0, 1\) at x 2, y 1 \(1 pixel\)"):
        open_dataset(own_folder(BY_COLOUR, pixels)).read("train", 0)


def test_read_mask_of_another_size_names_both(tree_folder: Path) -> None:
    write(tree_folder / "gtFine/train/ulm/ulm_1_gtFine_labelIds.png", mask(7, 7)[:, 1:])
    with pytest.raises(
        DataError,
        match=r"gtFine_labelIds\.png: expected a mask of 10x6 as its photo .*ulm_1_leftImg8bit\.png is, got 9x6; make",
    ):
        open_dataset(tree_folder).read("train", 0)


def test_read_photo_on_its_side_with_a_mask_that_is_not_says_what_to_turn(tree_folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo()).save(tree_folder / "leftImg8bit/train/ulm/ulm_1_leftImg8bit.png", exif=exif)
    with pytest.raises(DataError, match=r"expected a mask of 6x10 as .* got 10x6; turn it as the photo's EXIF"):
        open_dataset(tree_folder).read("train", 0)


def test_read_mask_in_jpeg_is_refused(camvid_folder: Path) -> None:
    (camvid_folder / "CamVid" / "valannot" / "0001.png").unlink()
    write(camvid_folder / "CamVid" / "valannot" / "0001.jpg", mask(3, 3))
    with pytest.raises(DataError, match=r"0001\.jpg: expected a PNG mask, got a JPEG"):
        open_dataset(camvid_folder).read("val", 0)


def test_frame_bytes_are_both_files_and_decide_the_frame(camvid_folder: Path) -> None:
    dataset = open_dataset(camvid_folder)
    name = dataset.splits["train"][0]
    assert dataset.frame_files(name) == ("train/0001.jpg", "trainannot/0001.png")
    data = dataset.frame_bytes(name)
    assert data == tuple((camvid_folder / "CamVid" / file).read_bytes() for file in dataset.frame_files(name))
    stream = io.BytesIO()
    Image.fromarray(mask(8, 0)).save(stream, "PNG")
    assert halves(dataset.decode(name, (data[0], stream.getvalue())).labels_hw) == (8, 0)


def test_dataset_of_a_zip_pickled_reads_the_same(
    own_folder: Callable[..., Path], zip_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(zip_folder(own_folder(BY_ID, mask(7, 1))))
    dataset.read("train", 0)
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes, as a worker gets them
    assert halves(copy.read("val", 0).labels_hw) == (0, 1)


def test_fingerprint_changes_with_masks_and_with_what_they_mean(
    own_folder: Callable[..., Path], zip_folder: Callable[..., Path]
) -> None:
    path = own_folder(BY_ID, mask(7, 1))
    seen = {open_dataset(path).fingerprint(), open_dataset(zip_folder(path, "deep/")).fingerprint()}
    assert len(seen) == 1
    write(path / "train" / "masks" / "1.png", mask(1, 7))
    seen.add(open_dataset(path).fingerprint())
    (path / "classes.toml").write_text(BY_ID.replace("300", "301"))
    seen.add(open_dataset(path).fingerprint())
    assert len(seen) == 3


@pytest.fixture(scope="session")
def real_camvid() -> Path:
    """CamVid, from the folder that SEGTOOL_DATA names or from ../shared/data beside the repository."""
    path = Path(os.environ.get("SEGTOOL_DATA", Path(__file__).parents[4] / "shared" / "data")) / "camvid.zip"
    if not path.is_file():
        pytest.skip("camvid.zip is neither in the folder SEGTOOL_DATA names nor in ../shared/data")
    return path


def test_open_dataset_real_camvid_has_the_known_counts_sizes_and_values(real_camvid: Path) -> None:
    dataset = open_dataset(real_camvid)
    assert dataset.layout == "camvid"
    assert [len(dataset.splits[split]) for split in ("train", "val")] == [367, 101]
    assert dataset.unmatched == {}
    counts = np.zeros(256, np.int64)
    for split, step in (("train", 20), ("val", 10)):
        for index in range(0, len(dataset.splits[split]), step):
            frame = dataset.read(split, index)  # a value past 11 would be an error
            assert frame.image_hwc.shape == (360, 480, 3)
            assert frame.labels_hw.shape == (360, 480)
            counts += np.bincount(frame.labels_hw.reshape(-1), minlength=256)
    assert set(np.flatnonzero(counts)) == {*range(11), 255}
    assert counts[:11].argmax() == 3  # road
