"""A JPEG or PNG as a file from a stranger: opened whole, or refused. Knows nothing of what the picture shows.

Checked before Pillow may decode: the format, the claimed size, and in a PNG every checksum. Pillow's readers are called
directly: `Image.open` would warn of, or refuse, large pictures by a limit that belongs to the whole process.
"""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from runtime.errors import DataError

MAX_PIXELS = 50_000_000
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_READERS = ((b"\xff\xd8\xff", JpegImageFile), (PNG_MAGIC, PngImageFile))

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


@contextmanager
def open_picture(data: bytes, where: str, *, deep: bool = False) -> Iterator[Image.Image]:
    """Opens a JPEG or PNG and decodes it completely; what goes wrong inside the `with` is the file's fault too.

    Args:
        data: the file's bytes.
        where: the file's path, for the message.
        deep: whether a PNG may have 16 bits a channel.

    Raises:
        DataError: no bytes, another format, cut short or damaged, more than 50 megapixels, or 16 bits a channel.
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
            _check_header(image, data, where, deep)
            image.load()
            image.info.pop("transparency", None)  # else convert() warns; the colours stay as they are
            yield image
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(
            f"{where}: expected a complete JPEG or PNG image, got damaged bytes ({error}); copy it again or remove it"
        ) from error


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says; itself where there is nothing to turn."""
    turn = _TURNS.get(_orientation(image.info.get("exif")))
    return image if turn is None else image.transpose(turn)


def png_depth(data: bytes) -> int:
    """Bits a channel (or a palette index) of a PNG that was opened: 1, 2, 4, 8 or 16."""
    return data[_PNG_DEPTH_AT]


def _check_header(image: Image.Image, data: bytes, where: str, deep: bool) -> None:
    """Refuses by the header alone, before any memory for pixels is taken."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{where}: expected at most {MAX_PIXELS / 1e6:.0f} megapixels, got {width}x{height}; shrink or remove it"
        )
    if isinstance(image, PngImageFile) and png_depth(data) == 16 and not deep:
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
