"""Decoded frames on disk by key, one file each; knows neither data sets nor labels.

Whatever happens to the folder, a frame comes back exactly as it was put in, or not at all: files are written under
another name and renamed, carry their key and a checksum, and can be deleted at any moment. Nothing is locked, so any
number of processes and runs share a folder and none can wait for another. This is not `write_whole`: a frame that is
lost with the power is decoded again, so no write waits for the disk.
"""

import logging
import mmap
import os
import secrets
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError

Pixels = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]  # image [H,W,3], labels [H,W]

IDLE_S = 3600.0  # a frame that nobody has read for so long may make room for another

_HEADER = struct.Struct("<8s32sII12xI")  # magic, key, height, width, CRC-32 of everything else
_MAGIC = b"segfram1"
_CRC_BYTES = 4
_BUCKETS = 16  # folders, by the key's first hex digit; each has its share of the cap, so that only one is counted
_WRITERS = 8  # processes that may fill a folder between two counts without passing the cap

_log = logging.getLogger("segtool")


class FrameStore:
    """A folder of frames. Cheap to send to another process, and usable after a fork.

    Args:
        folder: made when the first frame is put in.
        cap_bytes: what the files may take together, from 0. Frames beyond it take the place of those that no run
            has read for an hour; where there are none, they are not kept. A frame larger than a sixteenth of it is
            never kept.

    Raises:
        UsageError: a cap below 0.
    """

    def __init__(self, folder: Path, cap_bytes: int) -> None:
        if cap_bytes < 0:
            raise UsageError(f"expected a cache of 0 bytes or more, got {cap_bytes}; 0 keeps nothing")
        self.folder = folder
        self.cap_bytes = cap_bytes
        self._opened_s = time.time()
        self._writes = True
        self._room_bytes: dict[Path, int] = {}  # by bucket: what may be written before it is counted again

    def get(self, key: str) -> Pixels | None:
        """The frame put in under `key`, None where it is absent; a damaged one is deleted.

        Args:
            key: 64 lower-case hex digits.

        Returns:
            image uint8 `[H,W,3]` and labels uint8 `[H,W]`, contiguous and writable.
        """
        path = self._path(key)
        try:
            with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                record = np.array(np.frombuffer(mapped, dtype=np.uint8))  # a mapping kept would keep its file open
                used_s = os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None
        except (OSError, ValueError):  # ValueError: an empty file can't be mapped
            record, used_s = np.empty(0, dtype=np.uint8), self._opened_s
        pixels = _unpack(record, key)
        if pixels is None:
            _delete(path)
        elif used_s < self._opened_s:
            _touch(path)
        return pixels

    def put(self, key: str, image_hwc: npt.NDArray[np.uint8], labels_hw: npt.NDArray[np.uint8]) -> None:
        """Keeps a frame where there is room; a full or read-only disk ends the writing with one warning.

        Args:
            key: 64 lower-case hex digits.
            image_hwc: uint8 `[H,W,3]`.
            labels_hw: uint8 `[H,W]`.
        """
        if not self._writes:
            return
        path, data = self._path(key), _pack(key, image_hwc, labels_hw)
        try:
            if self._has_room(path.parent, len(data)):
                _write(path, data)
        except FileNotFoundError:  # somebody deletes the folder right now
            self._room_bytes.clear()
        except OSError as error:
            self._writes = False
            _log.warning(
                "%s: expected room for decoded frames, got '%s'; going on without keeping more, which costs speed only",
                self.folder,
                error.strerror or error,
            )

    def _path(self, key: str) -> Path:
        return self.folder / key[0] / key

    def _has_room(self, bucket: Path, need_bytes: int) -> bool:
        """Whether so much more may be written, after deleting idle frames if it takes that."""
        share_bytes = self.cap_bytes // _BUCKETS
        if need_bytes > share_bytes:
            return False
        if self._room_bytes.get(bucket, 0) < need_bytes:
            bucket.mkdir(mode=0o700, parents=True, exist_ok=True)
            free_bytes = share_bytes - self._shrink(bucket, share_bytes - need_bytes)
            if free_bytes < need_bytes:
                return False
            self._room_bytes[bucket] = max(need_bytes, free_bytes // _WRITERS)
        self._room_bytes[bucket] -= need_bytes
        return True

    def _shrink(self, bucket: Path, to_bytes: int) -> int:
        """Deletes idle files, the oldest first, until the bucket holds `to_bytes` or none is left; what it holds."""
        files = []
        with os.scandir(bucket) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                files.append((status.st_mtime, status.st_size, entry.path))
        used_bytes = sum(size for _, size, _ in files)
        idle_before_s = min(self._opened_s, time.time() - IDLE_S)  # never what this run has read itself
        for used_s, size, path in sorted(files):
            if used_bytes <= to_bytes or used_s >= idle_before_s:
                break
            _delete(Path(path))
            used_bytes -= size
        return used_bytes


def _pack(key: str, image_hwc: npt.NDArray[np.uint8], labels_hw: npt.NDArray[np.uint8]) -> bytes:
    height, width = labels_hw.shape
    body = image_hwc.tobytes() + labels_hw.tobytes()
    head = _HEADER.pack(_MAGIC, bytes.fromhex(key), height, width, 0)[:-_CRC_BYTES]
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(_CRC_BYTES, "little") + body


def _unpack(record: npt.NDArray[np.uint8], key: str) -> Pixels | None:
    """The frame in a file's bytes, None unless each of them is as it was written."""
    if len(record) < _HEADER.size:
        return None
    magic, stored_key, height, width, checksum = _HEADER.unpack_from(record.data)
    area = height * width
    head, body = record[: _HEADER.size - _CRC_BYTES], record[_HEADER.size :]
    if magic != _MAGIC or stored_key.hex() != key or len(body) != 4 * area:
        return None
    if zlib.crc32(body.data, zlib.crc32(head.data)) != checksum:
        return None
    return body[: 3 * area].reshape(height, width, 3), body[3 * area :].reshape(height, width)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        temporary.replace(path)
    except BaseException:  # an interrupt too must leave no half file behind
        _delete(temporary)
        raise


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # a folder that may only be read
        return


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the next reader finds it damaged as well, or the next count finds it idle
        return
