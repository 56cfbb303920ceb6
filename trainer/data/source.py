"""Names and bytes of the files of a data set, out of a folder or a zip read in place; knows nothing of images.

A data set is a stranger's: a link that leads out of its folder is refused here, a hostile archive in `archive`.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from runtime.errors import DataError
from trainer.data.archive import ZipSource

MAX_ENTRIES = 1_000_000
MAX_FILE_BYTES = 256 * 2**20
_NOT_DATA = "__MACOSX"  # what macOS's archiver adds beside the data


class Source(Protocol):
    """Files by name; names are "/"-separated and relative. Picklable, and usable after a fork."""

    path: Path

    def names(self) -> tuple[str, ...]:
        """Every file that is not hidden, sorted."""

    def read(self, name: str) -> bytes:
        """The whole file; DataError where it can't be had."""

    def where(self, name: str) -> str:
        """The file's path as an error message gives it."""


def open_source(path: str | os.PathLike[str]) -> Source:
    """Opens a data set's folder or zip.

    Hidden files and folders, and macOS's `__MACOSX`, are left out.

    Raises:
        DataError: no such path, not a folder or zip, empty, a hostile or truncated archive, a link that leads out.
    """
    path = Path(path)
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a zero byte in it
        raise DataError(
            f"{path}: expected a folder or a .zip file, got no readable path ({_reason(error)}); check the spelling"
        ) from error
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
        raise DataError(f"{path}: expected a folder or a .zip file, got a device or pipe; name another path")
    source: Source = FolderSource(path) if stat.S_ISDIR(kind) else ZipSource(path)
    if not source.names():
        raise DataError(
            f"{path}: expected a data set, got no file at all; name the folder or .zip that holds the images"
        )
    return source


class FolderSource:
    """The files of a folder and of its subfolders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = path.resolve()
        names: list[str] = []
        for name in self._walk(self._root, "", (self._root,)):
            names.append(name)
            if len(names) > MAX_ENTRIES:
                raise DataError(
                    f"{path}: expected at most {MAX_ENTRIES} files, got more; name the data set's own folder"
                )
        self._names = tuple(sorted(names))

    def names(self) -> tuple[str, ...]:
        """Every file that is not hidden, sorted; names are "/"-separated and relative to the folder."""
        return self._names

    def read(self, name: str) -> bytes:
        """Reads one file.

        Raises:
            DataError: no such file, not readable, larger than 256 MiB, or reached through a link out of the folder.
        """
        where = self.where(name)
        try:
            file = (self._root / name).resolve()
            if not file.is_relative_to(self._root):
                raise DataError(f"{where}: expected a file within {self.path}, got {file}; copy it into the folder")
            size_bytes = file.stat().st_size
            if size_bytes > MAX_FILE_BYTES:
                raise DataError(f"{where}: expected at most {MAX_FILE_BYTES} bytes, got {size_bytes}; remove the file")
            return file.read_bytes()
        except OSError as error:
            raise DataError(
                f"{where}: expected a readable file, got '{_reason(error)}'; check that it exists and its permissions"
            ) from error

    def where(self, name: str) -> str:
        """The file's path as an error message gives it."""
        return f"{self.path}/{name}"

    def _walk(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[str]:
        for entry in _entries(folder):
            name = prefix + entry.name
            if entry.name.startswith(".") or entry.name == _NOT_DATA:
                continue
            target = Path(entry.path)
            if entry.is_symlink():
                target = self._follow(target, name, above)
            if entry.is_dir():
                yield from self._walk(target, name + "/", (*above, target))
            elif entry.is_file():
                yield name

    def _follow(self, link: Path, name: str, above: tuple[Path, ...]) -> Path:
        """Where a link leads, which must be within the data set and not above itself."""
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: Python up to 3.12, links in a circle
            raise DataError(
                f"{self.where(name)}: expected a link to a file or folder, got one that leads nowhere; "
                "remove or repair it"
            ) from error
        if not target.is_relative_to(self._root):
            raise DataError(
                f"{self.where(name)}: expected links to stay within {self.path}, got one to {target}; "
                "copy what it points to, or name the target itself"
            )
        if target in above:
            raise DataError(
                f"{self.where(name)}: expected folders without a circle, got a link to {target} above it; "
                "remove the link"
            )
        return target


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(
            f"{folder}: expected a readable folder, got '{_reason(error)}'; check its permissions"
        ) from error


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
