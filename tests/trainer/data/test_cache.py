import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

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
        (cache.PIL, "__version__", "x"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            meanings.add(cached(plain, tmp_path).meaning)
    assert len(meanings) == 7
    assert cached(open_dataset(pairs), tmp_path).meaning in meanings


def test_cached_other_label_space_has_its_own_labels(pairs: Path, tmp_path: Path) -> None:
    read_all(cached(open_dataset(pairs), tmp_path))
    source = cached(open_dataset(pairs, "cityscapes"), tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(
            source.read("val", 1).labels_hw, open_dataset(pairs, "cityscapes").read("val", 1).labels_hw
        )


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
