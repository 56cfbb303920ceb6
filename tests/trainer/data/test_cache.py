import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from trainer.data import cache, dataset, pairs
from trainer.data.cache import CachedDataset, cached, default_folder
from trainer.data.dataset import open_dataset


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded, in order."""
    calls: list[str] = []
    decode = pairs.decode_image

    def count(data: bytes, where: str) -> np.ndarray:
        calls.append(where)
        return decode(data, where)

    monkeypatch.setattr(pairs, "decode_image", count)
    monkeypatch.setattr(dataset, "decode_image", count)
    return calls


def read_all(source: CachedDataset) -> list[dataset.Frame]:
    return [source.read(split, index) for split, names in source.splits.items() for index in range(len(names))]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_cached_second_epoch_decodes_nothing_and_reads_no_picture(
    pairs: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = open_dataset(pairs)
    expected = read_all(cached(plain, tmp_path, cap_bytes=0))
    decoded.clear()
    source = cached(plain, tmp_path)
    read_all(source)
    assert len(decoded) == 16
    monkeypatch.setattr(type(plain), "frame_bytes", None)  # would fail
    for got, want in zip(read_all(source), expected, strict=True):
        assert got.name == want.name
        np.testing.assert_array_equal(got.image_hwc, want.image_hwc)
        np.testing.assert_array_equal(got.labels_hw, want.labels_hw)
    assert len(decoded) == 16
    assert len(files(tmp_path)) == 16


def test_cached_another_run_and_a_copy_of_the_data_share_the_frames(
    pairs: Path, tmp_path: Path, zip_folder: Callable[..., Path], decoded: list[str]
) -> None:
    read_all(cached(open_dataset(pairs), tmp_path / "frames"))
    decoded.clear()
    read_all(cached(open_dataset(zip_folder(pairs)), tmp_path / "frames"))
    assert decoded == []


def test_cached_whatever_changes_the_labels_is_kept_apart(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = open_dataset(pairs)
    others = [open_dataset(pairs, "cityscapes"), open_dataset(pairs, unsure="nearest"), replace(plain, layout="camvid")]
    meanings = {cached(each, tmp_path).meaning for each in (plain, *others)}
    for module, name, value in (
        (cache, "VERSION", 99),
        (cache.colours, "VERSION", 99),
        (cache, "DECODER", ("13.0", None)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            meanings.add(cached(plain, tmp_path).meaning)
    assert len(meanings) == 7
    assert cached(open_dataset(pairs), tmp_path).meaning in meanings


def png(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def digest_of_decoding(folder: Path) -> str:
    """SHA-256 of what a few frames are decoded to: pairs, ids, colours. No JPEG: Pillow's version answers for that."""
    image = (np.arange(16 * 16 * 3) * 37 % 251).astype(np.uint8).reshape(16, 16, 3)
    colours = np.array([[128, 64, 128], [70, 70, 70], [0, 0, 142], [153, 153, 153]])
    mask = np.kron(
        colours[(np.arange(16) * 7 % 5 % 4).reshape(4, 4)].transpose(2, 0, 1), np.ones((4, 4), int)
    ).transpose(1, 2, 0)
    smeared = ((mask + np.roll(mask, 1, axis=0) + np.roll(mask, 1, axis=1)) // 3).astype(np.uint8)
    ids = (np.arange(16 * 16) * 5 % 7 % 3).astype(np.uint8).reshape(16, 16)
    turned = Image.Exif()
    turned[0x0112] = 6
    by_id = "".join(f'[[classes]]\nname = "c{label}"\nids = [{label}]\n' for label in range(3))
    by_colour = '[[classes]]\nname = "a"\ncolours = [[0, 0, 0]]\n[[classes]]\nname = "b"\ncolours = [[1, 1, 1]]\n'
    files = {
        "pairs/train/1.png": png(np.concatenate([image, smeared], axis=1)),
        "ids/classes.toml": by_id.encode(),
        "ids/images/train/1.png": png(image, exif=turned),
        "ids/masks/train/1.png": png(ids, exif=turned),
        "ids/images/train/2.png": png(image),
        "ids/masks/train/2.png": png(ids.astype(np.uint16)),
        "colours/classes.toml": by_colour.encode(),
        "colours/images/train/1.png": png(image),
        "colours/masks/train/1.png": png((ids % 2)[..., np.newaxis].repeat(3, axis=2)),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    whole = hashlib.sha256()
    for kind, space in (("pairs", "names"), ("pairs", "categories"), ("ids", None), ("colours", None)):
        for unsure in ("nearby", "nearest", "ignore"):
            source = open_dataset(folder / kind, space, unsure)
            for index in range(len(source.splits["train"])):
                frame = source.read("train", index)
                whole.update(frame.image_hwc.tobytes() + frame.labels_hw.tobytes())
    return whole.hexdigest()


def test_version_is_raised_with_any_change_of_what_frames_are_decoded_to(tmp_path: Path) -> None:
    """Where this fails: raise the VERSION of `cache` or `colours`, or caches on disk give frames of the old way."""
    known = {(1, 2): "3a3e452c07c36048aea4cea0619d0c8f2216b5e511c3c3d5e54b258deaa6dc03"}
    assert known.get((cache.VERSION, cache.colours.VERSION)) == digest_of_decoding(tmp_path)


def test_cached_other_label_space_has_its_own_labels(pairs: Path, tmp_path: Path) -> None:
    read_all(cached(open_dataset(pairs), tmp_path))
    source = cached(open_dataset(pairs, "cityscapes"), tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(
            source.read("val", 1).labels_hw, open_dataset(pairs, "cityscapes").read("val", 1).labels_hw
        )


def test_cached_another_mask_or_meaning_beside_the_same_photo_has_its_own_labels(tmp_path: Path) -> None:
    root = tmp_path / "set"
    classes = '[[classes]]\nname = "a"\nids = [{}]\n[[classes]]\nname = "b"\nids = [{}]\n'
    for folder, pixels in (("images", np.full((4, 6, 3), 9, np.uint8)), ("masks", np.zeros((4, 6), np.uint8))):
        (root / folder / "train").mkdir(parents=True)
        (root / folder / "train" / "1.png").write_bytes(png(pixels))

    def label() -> int:
        return int(cached(open_dataset(root), tmp_path / "frames").read("train", 0).labels_hw[0, 0])

    (root / "classes.toml").write_text(classes.format(0, 1))
    assert [label(), label()] == [0, 0]
    (root / "masks" / "train" / "1.png").write_bytes(png(np.ones((4, 6), np.uint8)))
    assert [label(), label()] == [1, 1]
    (root / "classes.toml").write_text(classes.format(1, 0))
    assert [label(), label()] == [0, 0]
    assert len(files(tmp_path / "frames")) == 3


def test_cached_damaged_frame_is_decoded_again_and_mended(pairs: Path, tmp_path: Path, decoded: list[str]) -> None:
    source = cached(open_dataset(pairs), tmp_path)
    expected = source.read("train", 3)
    (file,) = files(tmp_path)
    sound = file.read_bytes()
    file.write_bytes(sound[:2000] + bytes([sound[2000] ^ 1]) + sound[2001:])
    np.testing.assert_array_equal(source.read("train", 3).image_hwc, expected.image_hwc)
    assert file.read_bytes() == sound
    assert len(decoded) == 2


def test_cached_frame_that_changed_since_it_was_hashed_is_not_kept(
    pairs_folder: Path, tmp_path: Path, pair_png: Callable[..., bytes]
) -> None:
    source = cached(open_dataset(pairs_folder), tmp_path / "frames")
    (pairs_folder / "inner" / "train" / "1.png").write_bytes(pair_png(77))
    assert (source.read("train", 0).image_hwc == 77).all()
    assert files(tmp_path / "frames") == []


def test_cached_writing_into_a_frame_does_not_reach_the_cache(pairs: Path, tmp_path: Path) -> None:
    source = cached(open_dataset(pairs), tmp_path)
    expected = source.read("val", 0).image_hwc.copy()
    source.read("val", 0).image_hwc[:] = 0
    np.testing.assert_array_equal(source.read("val", 0).image_hwc, expected)


def test_cached_index_out_of_range_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a frame of 'val' from 0 to 3, got 4"):
        cached(open_dataset(pairs), tmp_path).read("val", 4)


def test_cached_pickled_reads_the_same_without_hashing_again(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = cached(open_dataset(pairs), tmp_path)
    expected = source.read("val", 2)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own bytes, as a worker gets them
    monkeypatch.setattr(dataset, "file_hash", None)  # would fail
    np.testing.assert_array_equal(copy.read("val", 2).labels_hw, expected.labels_hw)


def test_file_hashes_are_those_the_fingerprint_is_made_of(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_dataset(pairs)
    assert len(source.file_hashes) == 16
    monkeypatch.setattr(type(source.source), "read", None)  # no file is read twice
    assert source.fingerprint() == source.fingerprint()


@pytest.mark.parametrize(("xdg", "expected"), [("/c", "/c/segtool/frames"), ("", "/h/.cache/segtool/frames")])
def test_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, xdg: str, expected: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setenv("HOME", "/h")
    assert default_folder() == Path(expected)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_folder() == Path("/h/.cache/segtool/frames")
