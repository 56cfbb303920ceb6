import errno
import os
from pathlib import Path

import pytest

from runtime.errors import SpecError, StorageError
from runtime.files import write_whole


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_write_whole_makes_folders_and_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "model.onnx"
    write_whole(path, b"old")
    write_whole(path, b"new and longer")
    assert content(path.parent) == {"model.onnx": b"new and longer"}


def test_write_whole_gives_the_rights_that_open_would(tmp_path: Path) -> None:
    write_whole(tmp_path / "by_us", b"")
    (tmp_path / "by_open").write_bytes(b"")
    assert (tmp_path / "by_us").stat().st_mode == (tmp_path / "by_open").stat().st_mode


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, r"model\.onnx: disk full, 0\.0 MB needed and [\d.]+ MB free"), (errno.EIO, "could not be written")],
)
def test_write_whole_failing_at_any_step_keeps_the_old_file(
    tmp_path: Path, monkeypatch, owner: object, step: str, number: int, message: str
) -> None:
    path = tmp_path / "model.onnx"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(StorageError, match=message):
        write_whole(path, b"new")
    assert content(tmp_path) == {"model.onnx": b"old"}


def test_write_whole_that_reads_back_something_else_keeps_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "model.onnx"
    write_whole(path, b"old")
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"ne")
    with pytest.raises(StorageError, match="3 bytes were written but 2 other bytes were read back"):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert content(tmp_path) == {"model.onnx": b"old"}


def test_write_whole_that_verify_refuses_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_whole(path, b"old")

    def refuse(written: bytes) -> None:
        raise SpecError(f"planted, got {written!r}")

    with pytest.raises(SpecError, match="planted, got b'new'"):
        write_whole(path, b"new", refuse)
    assert content(tmp_path) == {"model.onnx": b"old"}


def test_write_whole_under_a_file_or_an_impossible_name_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/model\.onnx: could not be written"):
        write_whole(tmp_path / "file" / "model.onnx", b"new")
    with pytest.raises(StorageError, match=r"x{300}: could not be written \(File name too long\)"):
        write_whole(tmp_path / ("x" * 300), b"new")
