"""Overlays as a video file. Frames without an answer leave a gap in time, so that it plays as fast as it was taken."""

import errno
import os
import secrets
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from runtime.errors import StorageError, UsageError
from segtool.replay.video import import_av
from trainer.data.images import resize_image

if TYPE_CHECKING:
    from av.video.stream import VideoStream

SUFFIXES = (".mp4", ".mkv")
CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that the installed FFmpeg has
_BT709 = 1


class VideoFile:
    """A video that gets its final name when it is whole, at `close`; all its frames have the size of the first."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Begins a new file beside the final name.

        Args:
            path: its final name, .mp4 or .mkv.
            rate_hz: frames per second.

        Raises:
            UsageError: another suffix.
            MissingPackage: PyAV is not installed.
            StorageError: the folder can't be written.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path}: expected a video's name that ends in {' or '.join(SUFFIXES)}; correct it")
        self._av = import_av()
        self._path, self._rate = path, Fraction(rate_hz).limit_denominator(1000)
        self._temporary = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix.lower()}")
        self._stream: VideoStream | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = self._av.open(str(self._temporary), "w")
        except OSError as error:
            raise self._storage_error(error) from error

    def add(self, index: int, image_hwc: npt.NDArray[np.uint8]) -> None:
        """Appends a picture.

        Args:
            index: when it is shown, in frames from the start; rising.
            image_hwc: uint8 [H, W, 3], RGB.

        Raises:
            StorageError: it could not be written.
        """
        if self._stream is None:
            self._stream = self._new_stream(*image_hwc.shape[:2])
        stream = self._stream
        sized_hwc = np.ascontiguousarray(resize_image(image_hwc, stream.height, stream.width))
        frame = self._av.VideoFrame.from_ndarray(sized_hwc, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709)
        frame.pts, frame.time_base = index, 1 / self._rate
        self._write(frame)

    def close(self) -> None:
        """Ends the file and gives it its name; without a single picture there is no file.

        Raises:
            StorageError: it could not be written.
        """
        try:
            if self._stream is not None:
                self._write(None)
            self._container.close()
            if self._stream is None:
                return
            with self._temporary.open("rb+") as written:
                os.fsync(written.fileno())
            self._temporary.replace(self._path)
        except OSError as error:
            raise self._storage_error(error) from error
        finally:
            self._temporary.unlink(missing_ok=True)

    def _new_stream(self, height_px: int, width_px: int) -> "VideoStream":
        codec = next(name for name in CODECS if name in self._av.codecs_available)
        stream: VideoStream = self._container.add_stream(codec, rate=self._rate)
        stream.width, stream.height = max(2, width_px // 2 * 2), max(2, height_px // 2 * 2)  # chroma is of 2x2 pixels
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / self._rate
        stream.codec_context.colorspace = _BT709
        return stream

    def _write(self, frame: object) -> None:
        if self._stream is None:
            return
        try:
            for packet in self._stream.encode(frame):  # type: ignore[arg-type]  # None: what the encoder holds back
                self._container.mux(packet)
        except OSError as error:  # FFmpeg's own are OSErrors too
            raise self._storage_error(error) from error

    def _storage_error(self, error: OSError) -> StorageError:
        what = "disk full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return StorageError(f"{self._path}: a video was to be written, got '{what}'; free some space or name another")
