"""Bytes to RGB pixels and back, and the one place where images and labels are resized; knows nothing of data sets."""

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime.errors import UsageError
from runtime.spec import IGNORE_ID
from trainer.data.picture_file import open_picture, upright

Box = tuple[float, float, float, float]
_NEAREST, _BOX = Image.Resampling.NEAREST, Image.Resampling.BOX


def decode_image(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Decodes a JPEG or PNG completely, the right way up.

    Grey, palette, CMYK and transparent pictures become RGB; EXIF orientation is applied.

    Args:
        data: the file's bytes.
        where: the file's path, for the message.

    Returns:
        uint8 `[H,W,3]`, 0..255, RGB, contiguous and writable.

    Raises:
        DataError: no bytes, another format, cut short or damaged, 16 bits a channel, or more than 50 megapixels.
    """
    with open_picture(data, where) as image:
        return np.array(upright(image).convert("RGB"))


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
    """Resizes by a vote: each new pixel gets the label that covers most of it; labels are never blended.

    Of labels that cover equally much, the one that is rarer in the box wins, and any class wins over ignored: so
    a pole that is half a new pixel wide is kept. The label nearest to the pixel's centre, the usual way, keeps or
    loses it by chance, and at half the size moves every border by half an old pixel. Where nothing shrinks, the two
    ways are the same.

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
    labels_hw, box = _cut(labels_hw, box)
    left, top, right, bottom = box
    size = (width_px, height_px)
    if right - left <= width_px and bottom - top <= height_px:
        return np.array(Image.fromarray(np.ascontiguousarray(labels_hw)).resize(size, _NEAREST, box=box))
    counts = np.bincount(labels_hw.reshape(-1), minlength=IGNORE_ID + 1)
    counts[IGNORE_ID] *= labels_hw.size  # the last to win, where it occurs at all
    present = [label for label in np.argsort(counts, kind="stable").tolist() if counts[label]]
    whole = box == (0, 0, labels_hw.shape[1], labels_hw.shape[0])
    if whole and labels_hw.shape[0] % height_px == 0 and labels_hw.shape[1] % width_px == 0:
        return _vote_in_blocks(labels_hw, height_px, width_px, present)
    resized_hw = np.full((height_px, width_px), present[-1], dtype=np.uint8)
    most_hw = np.zeros((height_px, width_px), dtype=np.uint8)  # share of a new pixel that the best label covers, of 255
    for label in present:
        plane = Image.fromarray(np.where(labels_hw == label, np.uint8(255), np.uint8(0)))
        share_hw = np.asarray(plane.resize(size, _BOX, box=box))
        wins_hw = share_hw > most_hw
        resized_hw[wins_hw] = label
        most_hw[wins_hw] = share_hw[wins_hw]
    return resized_hw


def _cut(labels_hw: npt.NDArray[np.uint8], box: Box | None) -> tuple[npt.NDArray[np.uint8], Box]:
    """The part of the labels that a box touches, and the box within that part: the rest need not be looked at."""
    if box is None:
        return labels_hw, (0, 0, labels_hw.shape[1], labels_hw.shape[0])
    left, top = math.floor(box[0]), math.floor(box[1])
    part = labels_hw[top : math.ceil(box[3]), left : math.ceil(box[2])]
    return part, (box[0] - left, box[1] - top, box[2] - left, box[3] - top)


def _vote_in_blocks(
    labels_hw: npt.NDArray[np.uint8], height_px: int, width_px: int, present: list[int]
) -> npt.NDArray[np.uint8]:
    """The same vote where each new pixel is a block of whole old ones: most blocks hold one label, only the rest count.

    Args:
        labels_hw: uint8 `[height_px * n, width_px * m]`.
        height_px: of the result.
        width_px: of the result.
        present: the labels that occur; of equally many votes, the first wins.
    """
    down, across = labels_hw.shape[0] // height_px, labels_hw.shape[1] // width_px
    parts = [labels_hw[y::down, x::across] for y in range(down) for x in range(across)]
    mixed_hw = np.zeros((height_px, width_px), dtype=np.bool_)
    for part in parts[1:]:
        mixed_hw |= part != parts[0]
    resized_hw = parts[0].copy()
    values = np.stack([part[mixed_hw] for part in parts])  # [old pixels of a block, mixed blocks]
    votes = np.stack([(values == label).sum(axis=0, dtype=np.uint32) for label in present])
    resized_hw[mixed_hw] = np.array(present, dtype=np.uint8)[votes.argmax(axis=0)]
    return resized_hw


def encode_png(array: npt.NDArray[np.uint8]) -> bytes:
    """Encodes uint8 `[H,W]` (grey: ids as they are) or uint8 `[H,W,3]` (RGB) as PNG, without loss."""
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UsageError(
            f"expected uint8 [H,W] or [H,W,3] for a PNG, got {array.dtype} {list(array.shape)}; convert it"
        )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, format="PNG")
    return stream.getvalue()


def _check_resize(shape: tuple[int, ...], rank: int, height_px: int, width_px: int, box: Box | None) -> None:
    if len(shape) != rank or min(height_px, width_px, *shape) < 1:
        raise UsageError(
            f"expected an array of rank {rank} and a size from 1x1, got {list(shape)} to {width_px}x{height_px}; "
            "check the size that was asked for"
        )
    if box is not None and not (0 <= box[0] < box[2] <= shape[1] and 0 <= box[1] < box[3] <= shape[0]):
        raise UsageError(f"expected a box within {shape[1]}x{shape[0]}, got {box}; check how it was drawn")
