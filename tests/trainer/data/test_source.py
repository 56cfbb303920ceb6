import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import DataError
from trainer.data import source as source_module
from trainer.data.source import open_source


def test_open_source_folder_lists_files_sorted_without_hidden_ones(pairs_folder: Path) -> None:
    (pairs_folder / ".DS_Store").write_bytes(b"x")
    (pairs_folder / "__MACOSX").mkdir()
    (pairs_folder / "__MACOSX" / "1.png").write_bytes(b"x")
    (pairs_folder / "inner" / ".cache").mkdir()
    (pairs_folder / "inner" / ".cache" / "1.png").write_bytes(b"x")
    names = open_source(pairs_folder).names()
    assert names == (
        "inner/train/1.png",
        "inner/train/10.png",
        "inner/train/2.png",
        "inner/val/3.png",
        "inner/val/4.png",
    )


def test_open_source_zip_equals_its_folder(pairs_folder: Path, zip_folder: Callable[..., Path]) -> None:
    folder, archive = open_source(pairs_folder), open_source(zip_folder(pairs_folder))
    assert archive.names() == folder.names()
    assert all(archive.read(name) == folder.read(name) for name in folder.names())


def test_open_source_no_such_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing_here: expected a folder or a \.zip file, got no readable path"):
        open_source(tmp_path / "nothing_here")


def test_open_source_path_with_zero_byte_is_refused() -> None:
    with pytest.raises(DataError, match="null"):
        open_source("a\0b")


def test_open_source_device_is_refused() -> None:
    with pytest.raises(DataError, match=r"/dev/null: expected a folder or a \.zip file, got a device or pipe"):
        open_source("/dev/null")


@pytest.mark.parametrize("content", [None, ".hidden"])
def test_open_source_empty_folder_is_refused(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / content).write_bytes(b"x")
    with pytest.raises(DataError, match="got no file at all"):
        open_source(tmp_path)


def test_open_source_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.png").write_bytes(b"secret")
    inside = tmp_path / "set"
    inside.mkdir()
    for target in (tmp_path / "outside", tmp_path / "outside" / "1.png"):
        link = inside / "train"
        link.symlink_to(target)
        with pytest.raises(DataError, match=f"train: expected links to stay within .*{target}"):
            open_source(inside)
        link.unlink()


def test_open_source_link_within_the_folder_is_followed(pairs_folder: Path) -> None:
    (pairs_folder / "again").symlink_to(pairs_folder / "inner" / "val")
    source = open_source(pairs_folder)
    assert "again/3.png" in source.names()
    assert source.read("again/3.png") == source.read("inner/val/3.png")


def test_open_source_links_in_a_circle_are_refused(pairs_folder: Path) -> None:
    (pairs_folder / "inner" / "loop").symlink_to(pairs_folder)
    with pytest.raises(DataError, match="inner/loop: expected folders without a circle"):
        open_source(pairs_folder)


def test_open_source_dangling_link_is_refused(pairs_folder: Path) -> None:
    (pairs_folder / "gone").symlink_to(pairs_folder / "not_there")
    with pytest.raises(DataError, match="gone: expected a link to a file or folder, got one that leads nowhere"):
        open_source(pairs_folder)


def test_open_source_linked_root_is_opened(tmp_path: Path, pairs_folder: Path) -> None:
    (tmp_path / "link").symlink_to(pairs_folder)
    source = open_source(tmp_path / "link")
    assert len(source.read("inner/train/1.png")) > 0


@pytest.mark.parametrize("name", ["../outside.png", "inner/../../outside.png"])
def test_read_name_that_leads_out_is_refused(tmp_path: Path, pairs_folder: Path, name: str) -> None:
    (tmp_path / "outside.png").write_bytes(b"secret")
    with pytest.raises(DataError, match=r"expected a file within .*set, got .*outside\.png"):
        open_source(pairs_folder).read(name)


def test_read_folder_file_that_went_away_is_refused(pairs_folder: Path) -> None:
    source = open_source(pairs_folder)
    (pairs_folder / "inner/train/1.png").unlink()
    with pytest.raises(DataError, match=r"inner/train/1\.png: expected a readable file, got 'No such file"):
        source.read("inner/train/1.png")


def test_read_folder_file_over_the_cap_is_refused(pairs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(pairs_folder)
    monkeypatch.setattr(source_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(DataError, match=r"inner/val/3\.png: expected at most 10 bytes, got"):
        source.read("inner/val/3.png")


def test_open_source_folder_with_too_many_files_is_refused(pairs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_ENTRIES", 4)
    with pytest.raises(DataError, match="expected at most 4 files"):
        open_source(pairs_folder)


def test_source_pickled_reads_the_same(pairs_folder: Path, zip_folder: Callable[..., Path]) -> None:
    for path in (pairs_folder, zip_folder(pairs_folder)):
        source = open_source(path)
        copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own bytes, as a worker gets them
        assert copy.names() == source.names()
        assert copy.read("inner/val/4.png") == source.read("inner/val/4.png")
