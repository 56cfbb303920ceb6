"""Bytes to pixels and back, and the one place where images and labels are resized; knows nothing of data sets."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from runtime.errors import DataError, UsageError

Box = tuple[float, float, float, float]

MAX_PIXELS = 50_000_000
_READERS = ((b"\xff\xd8\xff", JpegImageFile), (b"\x89PNG\r\n\x1a\n", PngImageFile))

# what Pillow raises on bytes that are not a sound JPEG or PNG
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError)

# metadata that Pillow may warn about; the warnings' filters belong to the whole process, so one thread at a time
_CHATTY = (b"Exif", b"eXIf", b"acTL")
_quiet = threading.Lock()

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_PNG_DEPTH_AT = 24  # bits a channel: behind signature (8), length and name of IHDR (8), width and height (8)


def decode_image(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Decodes a JPEG or PNG completely, the right way up.

    Grey, palette, CMYK and transparent pictures become RGB; EXIF orientation is applied. The readers are called
    directly: `Image.open` would warn of, or refuse, large pictures by a limit that belongs to the whole process.

    Args:
        data: the file's bytes.
        where: the file's path, for the message.

    Returns:
        uint8 `[H,W,3]`, 0..255, RGB, contiguous and writable.

    Raises:
        DataError: no bytes, another format, cut short or damaged, 16 bits a channel, or more than 50 megapixels.
    """
    if not data:
        raise DataError(f"{where}: expected a JPEG or PNG image, got a file of 0 bytes; copy it again or remove it")
    reader = next((reader for magic, reader in _READERS if data.startswith(magic)), None)
    if reader is None:
        raise DataError(
            f"{where}: expected a JPEG or PNG image, got bytes that begin with {data[:4].hex(' ')}; "
            "convert or remove it"
        )
    try:
        if reader is PngImageFile:
            _check_png_chunks(data)
        with _without_warnings(data), reader(io.BytesIO(data)) as image:
            _check_header(image, data, where)
            image.load()
            image.info.pop("transparency", None)  # else convert() warns; the colours stay as they are
            turn = _TURNS.get(_orientation(image.info.get("exif")))
            upright = image if turn is None else image.transpose(turn)
            return np.array(upright.convert("RGB"))
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(
            f"{where}: expected a complete JPEG or PNG image, got damaged bytes ({error}); copy it again or remove it"
        ) from error


def resize_image(
    image_hwc: npt.NDArray[np.uint8], height_px: int, width_px: int, box: Box | None = None
) -> npt.NDArray[np.uint8]:
    """Resizes with bilinear interpolation, antialiased where it shrinks (Pillow's rule, the spec's `resize`).

    Args:
        image_hwc: uint8 `[H,W,3]`, RGB.
        height_px: of the result.
        width_px: of the result.
        box: left, top, right, bottom in pixels of the source, fractions allowed: what to take instead of the whole.

    Returns:
        uint8 `[height_px, width_px, 3]`; the same array where the whole is taken and has that size already.

    Raises:
        UsageError: a size below 1, or a box that is empty or not within the image.
    """
    _check_resize(image_hwc.shape, 3, height_px, width_px, box)
    if box is None and image_hwc.shape[:2] == (height_px, width_px):
        return image_hwc
    picture = Image.fromarray(np.ascontiguousarray(image_hwc))
    return np.array(picture.resize((width_px, height_px), Image.Resampling.BILINEAR, box=box))


def resize_labels(
    labels_hw: npt.NDArray[np.uint8], height_px: int, width_px: int, box: Box | None = None
) -> npt.NDArray[np.uint8]:
    """Resizes by taking the label nearest to each new pixel's centre; labels are never blended.

    Args:
        labels_hw: uint8 `[H,W]`.
        height_px: of the result.
        width_px: of the result.
        box: as in `resize_image`, and then aligned with it.

    Returns:
        uint8 `[height_px, width_px]`; the same array where the whole is taken and has that size already.

    Raises:
        UsageError: a size below 1, or a box that is empty or not within the labels.
    """
    _check_resize(labels_hw.shape, 2, height_px, width_px, box)
    if box is None and labels_hw.shape == (height_px, width_px):
        return labels_hw
    picture = Image.fromarray(np.ascontiguousarray(labels_hw))
    return np.array(picture.resize((width_px, height_px), Image.Resampling.NEAREST, box=box))


def encode_png(array: npt.NDArray[np.uint8]) -> bytes:
    """Encodes uint8 `[H,W]` (grey: ids as they are) or uint8 `[H,W,3]` (RGB) as PNG, without loss."""
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UsageError(
            f"expected uint8 [H,W] or [H,W,3] for a PNG, got {array.dtype} {list(array.shape)}; convert it"
        )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, format="PNG")
    return stream.getvalue()


def _check_header(image: Image.Image, data: bytes, where: str) -> None:
    """Refuses by the header alone, before any memory for pixels is taken."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{where}: expected at most {MAX_PIXELS / 1e6:.0f} megapixels, got {width}x{height}; shrink or remove it"
        )
    if isinstance(image, PngImageFile) and data[_PNG_DEPTH_AT] == 16:
        # Pillow would cut each grey value at 255, and drop the low byte of colours, in silence
        raise DataError(f"{where}: expected 8 bits a channel, got a 16-bit PNG; convert it to 8 bits")


def _check_png_chunks(data: bytes) -> None:
    """Checks every chunk's CRC-32 and that the closing chunk is there.

    Pillow stops reading once it has all rows, so that it takes a changed byte or a cut near the end for sound. Source:
    PNG specification (third edition), section 5.3.

    Raises:
        ValueError: a checksum is wrong.
        EOFError: the file ends within a chunk, or before the closing one.
    """
    view = memoryview(data)
    start, kind = 8, b""
    while kind != b"IEND":
        try:
            length, kind = struct.unpack_from(">I4s", view, start)
            end = start + 8 + length
            (stored,) = struct.unpack_from(">I", view, end)
        except struct.error as error:
            raise EOFError(f"cut short in the chunk at byte {start}") from error
        if zlib.crc32(view[start + 4 : end]) != stored:
            raise ValueError(f"wrong checksum in the chunk at byte {start}")
        start = end + 4


def _check_resize(shape: tuple[int, ...], rank: int, height_px: int, width_px: int, box: Box | None) -> None:
    if len(shape) != rank or min(height_px, width_px, *shape) < 1:
        raise UsageError(
            f"expected an array of rank {rank} and a size from 1x1, got {list(shape)} to {width_px}x{height_px}; "
            "check the size that was asked for"
        )
    if box is not None and not (0 <= box[0] < box[2] <= shape[1] and 0 <= box[1] < box[3] <= shape[0]):
        raise UsageError(f"expected a box within {shape[1]}x{shape[0]}, got {box}; check how it was drawn")


def _without_warnings(data: bytes) -> AbstractContextManager[None]:
    """Silences Pillow's remarks on broken metadata, which never change the pixels; most files need no silence."""
    return _silence() if any(mark in data for mark in _CHATTY) else nullcontext()


@contextmanager
def _silence() -> Iterator[None]:
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _orientation(exif: bytes | None) -> int:
    """The orientation (1..8) in an EXIF block, 1 where it has none or can't be read.

    Read here because Pillow's own reader goes through, and warns about, every other tag. Source: TIFF 6.0, section 2
    (header, image file directory) and Exif 2.32, tag 274.
    """
    tiff = (exif or b"").removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG and kind == 3:  # SHORT
                return int(value)
    except struct.error:  # cut short
        return 1
    return 1
