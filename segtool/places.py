"""Can a command write where it is told to? Asked before the work: an hour of it must not end with a wrong path."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from runtime.errors import StorageError, UsageError


def require_writable(*files: Path | None, read: Iterable[Path | None] = ()) -> None:
    """Refuses files that could not be written or would take the place of another, without leaving anything behind.

    Args:
        files: that will be written, with the folders that they need; None for those that will not.
        read: what the command reads; None for what it does not.

    Raises:
        UsageError: one leads to what is read, or two lead to the same file.
        StorageError: one is a folder, or nothing can be made in the nearest folder above it that is there.
    """
    taken = {path.resolve() for path in read if path is not None}
    for file in files:
        if file is None:
            continue
        if file.resolve() in taken:
            raise UsageError(f"{file}: expected a file of its own for what is written, got it twice; give another name")
        taken.add(file.resolve())
        if file.is_dir():
            raise StorageError(f"{file}: a file was to be written there, got a folder; give a file's name")
        folder = next(parent for parent in file.absolute().parents if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise StorageError(
                f"{file}: a file was to be written there, got {error.strerror or error} at {folder}; "
                "give another place, or make this one writable"
            ) from error
