"""Whole-file reading and writing: a file on disk is the old one or the new one, never a part of either."""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .errors import StorageError


def write_whole(path: Path, data: bytes, verify: Callable[[bytes], None] | None = None) -> None:
    """Writes `data` under `path` so that a reader, a crash or a full disk sees the old file or the new one.

    Temp file in the same folder, full write, fsync, read back and compare, rename, fsync of the folder. The read-back
    comes before the rename because a short write that nobody noticed would otherwise be published.

    Args:
        path: final name; missing parent folders are created.
        data: the file's whole content.
        verify: called with the bytes read back, before the rename; what it raises leaves the old file in place.

    Raises:
        StorageError: the disk is full, the folder is read-only, or what was read back differs.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new_name = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
        with new_name.open("xb") as stream:  # must be new; gets the rights that the umask leaves
            temporary = new_name
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        written = temporary.read_bytes()
        if written != data:
            raise StorageError(  # noqa: TRY301  # let through below as it is
                f"{path}: {len(data)} bytes were written but {len(written)} other bytes were read back; "
                "check the disk, the old file is untouched"
            )
        if verify is not None:
            verify(written)
        temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except StorageError:
        raise
    except OSError as error:
        if temporary is not None:  # before the message tells how much is free
            temporary.unlink(missing_ok=True)
        raise StorageError(_storage_message(path, len(data), error)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder to sync it
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_message(path: Path, need_bytes: int, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{path}: disk full, {need_bytes / 1e6:.1f} MB needed and {_free_mb(path.parent):.1f} MB free; "
            "free some space and run again, the old file is untouched"
        )
    return f"{path}: could not be written ({error.strerror or error}); check the folder's permissions and the disk"


def _free_mb(folder: Path) -> float:
    try:
        status = os.statvfs(folder)
    except (OSError, AttributeError):  # the folder itself could not be made; no statvfs on Windows
        return float("nan")
    return status.f_bavail * status.f_frsize / 1e6
