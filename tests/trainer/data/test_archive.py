"""Hostile and broken zips: each is a DataError that names the entry, and nothing is written anywhere."""

import gc
import os
import random
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import DataError
from trainer.data import archive as archive_module
from trainer.data.archive import ZipSource


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, data: bytes = b"data", **info_fields: object) -> Path:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name  # the constructor would tidy it
        for field, value in info_fields.items():
            setattr(info, field, value)
        path = tmp_path / "hostile.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("train/ok.png", b"ok")
            archive.writestr(info, data)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../evil.png", r"'\.\./evil\.png' with a '\.\.' that leads out"),
        ("train/../../evil.png", r"'\.\.' that leads out"),
        ("train/..", r"'\.\.' that leads out"),
        ("/etc/evil.png", r"'/etc/evil\.png' with an absolute path"),
        ("//server/evil.png", "an absolute path"),
        ("C:/evil.png", r"'C:/evil\.png' with a drive letter"),
        ("c:evil.png", "a drive letter"),
        ("..\\evil.png", "a backslash"),
        ("\\\\server\\evil.png", "a backslash"),
        ("train/a\0.png", "zero byte"),
        (".hidden/../../evil.png", r"'\.\.' that leads out"),  # checked before hidden files are left out
    ],
)
def test_zip_source_name_that_leads_out_is_refused(write_zip: Callable[..., Path], name: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        ZipSource(write_zip(name))


@pytest.mark.parametrize(("kind", "fault"), [(stat.S_IFLNK, "a symbolic link"), (stat.S_IFIFO, "a device or pipe")])
def test_zip_source_link_or_pipe_is_refused(write_zip: Callable[..., Path], kind: int, fault: str) -> None:
    with pytest.raises(DataError, match=f"'train/link.png' with {fault}"):
        ZipSource(write_zip("train/link.png", b"/etc/passwd", external_attr=(kind | 0o777) << 16))


def test_zip_source_encrypted_entry_is_refused(write_zip: Callable[..., Path]) -> None:
    path = write_zip("train/1.png")
    data = bytearray(path.read_bytes())
    flags = data.rindex(b"PK\x01\x02") + 8  # flag bits in the last entry of the table of contents
    data[flags] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"'train/1\.png' with encryption"):
        ZipSource(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_source_rare_compression_is_refused(write_zip: Callable[..., Path], method: int) -> None:
    with pytest.raises(DataError, match=f"'train/1.png' with compression method {method}"):
        ZipSource(write_zip("train/1.png", compress_type=method))


def test_zip_source_absurd_ratio_is_refused_before_unpacking(write_zip: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"'train/1\.png' with \d+ bytes that claim to unpack to 8000000"):
        ZipSource(write_zip("train/1.png", bytes(8_000_000), compress_type=zipfile.ZIP_DEFLATED))


def test_zip_source_entry_over_the_cap_is_refused(
    write_zip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_MEMBER_BYTES", 99)
    with pytest.raises(DataError, match=r"'train/1\.png' with 100 bytes, at most 99"):
        ZipSource(write_zip("train/1.png", bytes(100)))


def test_zip_source_too_many_entries_are_refused(
    write_zip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_ENTRIES", 1)
    with pytest.raises(DataError, match="at most 1 zip entries, got 2"):
        ZipSource(write_zip("train/1.png"))


def test_zip_source_huge_table_of_contents_is_refused_unread(
    write_zip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_DIRECTORY_BYTES", 50)
    with pytest.raises(DataError, match=r"a table of contents of \d+ bytes, at most 50"):
        ZipSource(write_zip("train/1.png"))


def test_zip_source_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns while the hostile file is made
        archive.writestr("train/1.png", b"one")
        archive.writestr("train/1.png", b"two")
    with pytest.raises(DataError, match=r"'train/1\.png' with a name that stands twice"):
        ZipSource(path)


def test_zip_source_hidden_and_macos_entries_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mac.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (
            "train/",
            "train/1.png",
            "./train/2.png",
            "__MACOSX/train/._1.png",
            "train/.DS_Store",
            ".git/config",
        ):
            archive.writestr(name, b"")
    assert ZipSource(path).names() == ("./train/2.png", "train/1.png")


@pytest.mark.parametrize("data", [b"", b"not a zip at all", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + b"\xff" * 18])
def test_zip_source_other_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.zip: expected a folder or a complete \.zip file"):
        ZipSource(path)


def test_zip_source_every_truncation_is_refused(pairs_folder: Path, zip_folder: Callable[..., Path]) -> None:
    path = zip_folder(pairs_folder)
    data = path.read_bytes()
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"made\.zip: expected a folder or a complete \.zip file"):
            ZipSource(path)


def test_zip_source_mutated_bytes_give_the_same_files_or_data_error(
    pairs_folder: Path, zip_folder: Callable[..., Path]
) -> None:
    path = zip_folder(pairs_folder)
    data = path.read_bytes()
    sound = {name: ZipSource(path).read(name) for name in ZipSource(path).names()}
    dice = random.Random(3)  # noqa: S311 - picks bytes to damage
    refused = 0
    for _ in range(600):
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        try:
            source = ZipSource(path)
            for name in source.names():
                assert source.read(name) in sound.values()
        except DataError:
            refused += 1
    assert refused > 300


def test_read_damaged_entry_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/1.png", b"some picture")
    path.write_bytes(path.read_bytes().replace(b"some", b"sane"))
    with pytest.raises(
        DataError, match=r"x\.zip/train/1\.png: expected a sound zip entry, got damaged bytes \(Bad CRC"
    ):
        ZipSource(path).read("train/1.png")


def test_read_absent_entry_is_refused_by_name(write_zip: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"hostile\.zip/train/2\.png: expected an entry of that name"):
        ZipSource(write_zip("train/1.png")).read("train/2.png")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 on fork beside BLAS's threads
def test_read_in_forked_children_is_not_disturbed_by_the_others(tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    contents = {f"train/{number}.png": bytes([number]) * 200_000 for number in range(40)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    source = ZipSource(path)
    source.read("train/0.png")  # the parent's handle is open when the children are made
    children = [fork_and_read(source, contents) for _ in range(3)]
    assert all(source.read(name) == data for _ in range(3) for name, data in contents.items())
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def fork_and_read(source: ZipSource, contents: dict[str, bytes]) -> int:
    """Starts a child that reads everything three times and exits 0 where all was right; returns its process id."""
    child = os.fork()
    if child == 0:
        exit_code = 1
        try:
            if all(source.read(name) == data for _ in range(3) for name, data in contents.items()):
                exit_code = 0
        finally:
            os._exit(exit_code)  # whatever happened: an exception must not go on as a second pytest
    return child


def test_zip_source_dropped_closes_its_file(write_zip: Callable[..., Path]) -> None:
    path = write_zip("train/1.png")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert ZipSource(path).read("train/1.png") == b"data"
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
