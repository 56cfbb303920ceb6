"""Mask files to values: ids as they are stored, or exact colours. Which class a value is, `exact_labels` says.

A palette picture's ids are its indices; `convert("L")` would give the greys of its colours instead.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime.errors import DataError
from trainer.data.picture_file import PNG_MAGIC, open_picture, png_depth, upright

Mask = npt.NDArray[np.unsignedinteger[Any]]  # uint8 or uint16

_ID_MODES = ("1", "L", "P", "I;16")
_GREY_STEP = {2: 85, 4: 17}  # Pillow stretches grey of 2 and 4 bits to 0..255; palette indices it leaves alone


def decode_ids(data: bytes, where: str) -> Mask:
    """Decodes a PNG of ids: grey of 1 to 16 bits, or palette indices.

    Args:
        data: the file's bytes.
        where: the file's path, for the message.

    Returns:
        uint8 or uint16 `[H,W]`, the numbers that stand in the file, the right way up.

    Raises:
        DataError: not a PNG, damaged, over 50 megapixels, or with colours instead of ids.
    """
    _require_png(data, where)
    with open_picture(data, where, deep=True) as image:
        if image.mode not in _ID_MODES:
            raise DataError(
                f"{where}: expected a mask of ids (grey or palette), got a picture of mode {image.mode}; "
                "write ids, or give the colours of the classes in classes.toml"
            )
        values = np.array(upright(image))
        if image.mode == "L":
            return values // np.uint8(_GREY_STEP.get(png_depth(data), 1))
        return values.astype(np.uint16 if image.mode == "I;16" else np.uint8)


def decode_colours(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Decodes a PNG of colours: RGB, or a palette's or grey's colours.

    Args:
        data: the file's bytes.
        where: the file's path, for the message.

    Returns:
        uint8 `[H,W,3]`, RGB, the right way up.

    Raises:
        DataError: not a PNG, damaged, over 50 megapixels, of 16 bits a channel, with an index that its palette lacks,
            or with an alpha channel that is not opaque everywhere (a palette's transparent colour counts as a colour).
    """
    _require_png(data, where)
    with open_picture(data, where) as image:
        _require_in_palette(image, where)
        turned = upright(image)
        if "A" in turned.getbands():
            _require_opaque(turned.getchannel("A"), where)
        return np.array(turned.convert("RGB"))


def _require_png(data: bytes, where: str) -> None:
    if data and not data.startswith(PNG_MAGIC):
        kind = "a JPEG, which changes values" if data.startswith(b"\xff\xd8\xff") else f"bytes {data[:4].hex(' ')}"
        raise DataError(f"{where}: expected a PNG mask, got {kind}; write the masks as PNG")


def _require_in_palette(image: Image.Image, where: str) -> None:
    """Pillow takes an index that the palette lacks for black, which may be a class."""
    if image.mode != "P" or image.palette is None:
        return
    entries, highest = len(image.palette.palette) // len(image.palette.mode), int(np.array(image).max())
    if highest >= entries:
        raise DataError(
            f"{where}: expected palette indices from 0 to {entries - 1}, got {highest}; write the mask anew"
        )


def _require_opaque(alpha: Image.Image, where: str) -> None:
    lowest = alpha.getextrema()[0]
    if lowest != 255:
        raise DataError(
            f"{where}: expected an opaque colour mask, got pixels with alpha {lowest}; write the mask as plain RGB"
        )
