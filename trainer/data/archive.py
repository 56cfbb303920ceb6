"""A data set's zip, read in place: nothing is unpacked to disk, and a hostile or broken archive is a DataError.

Refused: paths that lead out (`..`, absolute, drive letters, backslashes), links and devices, encrypted entries, rare
compression methods, names that stand twice, absurd compression ratios, too many entries, entries too large.
"""

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from runtime.errors import DataError

MAX_ENTRIES = 1_000_000
MAX_MEMBER_BYTES = 256 * 2**20
MAX_DIRECTORY_BYTES = 128 * 2**20  # the zip's table of contents, which is parsed before its entries can be counted
MAX_RATIO = 200  # photos and masks are compressed already; deflate's own limit is 1032
_RATIO_FREE_BYTES = 2**20  # below this size any ratio is harmless
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED_BIT = 0x1
_DRIVE = re.compile(r"^[A-Za-z]:")

# what zipfile and zlib raise on bytes that are not a sound archive
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # NotImplementedError (a feature zipfile lacks) is one
    OverflowError,
    IndexError,
)


class ZipSource:
    """The files of a zip. Each process opens the file anew: a forked one would share, and move, its file offset."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        self._opened_by = -1
        members = (info for info in self._open().infolist() if not info.is_dir())
        self._names = tuple(sorted(info.filename for info in members if not _is_hidden(info.filename)))

    def names(self) -> tuple[str, ...]:
        """Every file that is not hidden, sorted, by its name in the zip."""
        return self._names

    def read(self, name: str) -> bytes:
        """Reads one file; zip's own checksum (CRC-32) is verified.

        Raises:
            DataError: no such entry, or its bytes are damaged.
        """
        try:
            return self._open().read(name)
        except KeyError as error:
            raise DataError(f"{self.where(name)}: expected an entry of that name, got none; check the zip") from error
        except _BROKEN as error:
            raise DataError(
                f"{self.where(name)}: expected a sound zip entry, got damaged bytes ({error}); "
                "download or copy the zip again"
            ) from error

    def where(self, name: str) -> str:
        """The entry's path as an error message gives it."""
        return f"{self.path}/{name}"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_archive": None, "_opened_by": -1}

    def _open(self) -> zipfile.ZipFile:
        if self._archive is None or self._opened_by != os.getpid():
            self._archive = _open_checked(self.path)
            self._opened_by = os.getpid()
        return self._archive


class _BoundedFile(io.BufferedReader):
    """A file that refuses one huge read, so that a claimed table of contents can't fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"a table of contents of {size} bytes, at most {MAX_DIRECTORY_BYTES} are taken")
        return super().read(size)

    def __del__(self) -> None:
        self.close()  # as zipfile closes the files that it opens itself


def _open_checked(path: Path) -> zipfile.ZipFile:
    try:
        file = _BoundedFile(io.FileIO(path))
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable .zip file, got '{error.strerror}'; check that it exists and its permissions"
        ) from error
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        raise DataError(
            f"{path}: expected a folder or a complete .zip file, got bytes that are not one ({error}); "
            "download or copy it again"
        ) from error
    _check_entries(archive.infolist(), path)
    return archive


def _check_entries(entries: list[zipfile.ZipInfo], path: Path) -> None:
    if len(entries) > MAX_ENTRIES:
        raise DataError(f"{path}: expected at most {MAX_ENTRIES} zip entries, got {len(entries)}; split the data set")
    seen: set[str] = set()
    for info in entries:
        fault = _name_fault(info.orig_filename) or _kind_fault(info) or _size_fault(info)
        if info.filename in seen:
            fault = "a name that stands twice"
        if fault is not None:
            raise DataError(
                f"{path}: expected entries that are plain files within the zip, got {info.orig_filename!r} "
                f"with {fault}; don't trust this zip, make it anew from the data set's folder"
            )
        seen.add(info.filename)


def _name_fault(name: str) -> str | None:
    if not name or "\0" in name:
        return "an empty name or a zero byte in it"
    if "\\" in name:
        return "a backslash"
    if name.startswith("/"):
        return "an absolute path"
    if _DRIVE.match(name):
        return "a drive letter"
    if ".." in name.split("/"):
        return "a '..' that leads out"
    return None


def _kind_fault(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a symbolic link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device or pipe"
    if info.flag_bits & _ENCRYPTED_BIT:
        return "encryption"
    if info.compress_type not in _METHODS:
        return f"compression method {info.compress_type}, where stored or deflated is taken"
    return None


def _size_fault(info: zipfile.ZipInfo) -> str | None:
    if info.file_size > MAX_MEMBER_BYTES:
        return f"{info.file_size} bytes, at most {MAX_MEMBER_BYTES} are taken"
    if info.file_size > _RATIO_FREE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
        return f"{info.compress_size} bytes that claim to unpack to {info.file_size}"
    return None


def _is_hidden(name: str) -> bool:
    # some archivers write "./train/1.jpg"
    return any((part.startswith(".") and part != ".") or part == "__MACOSX" for part in name.split("/"))
