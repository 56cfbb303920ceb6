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
_TIE = 1e-6  # area in old pixels below which two labels cover equally much


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
    if right - left <= width_px and bottom - top <= height_px:
        picture = Image.fromarray(np.ascontiguousarray(labels_hw))
        return np.array(picture.resize((width_px, height_px), Image.Resampling.NEAREST, box=box))
    return _vote(
        labels_hw,
        _overlaps(labels_hw.shape[0], top, bottom, height_px),
        _overlaps(labels_hw.shape[1], left, right, width_px),
    )


def _cut(labels_hw: npt.NDArray[np.uint8], box: Box | None) -> tuple[npt.NDArray[np.uint8], Box]:
    """The part of the labels that a box touches, and the box within that part: the rest need not be looked at."""
    if box is None:
        return labels_hw, (0, 0, labels_hw.shape[1], labels_hw.shape[0])
    left, top = math.floor(box[0]), math.floor(box[1])
    part = labels_hw[top : math.ceil(box[3]), left : math.ceil(box[2])]
    return part, (box[0] - left, box[1] - top, box[2] - left, box[3] - top)


def _overlaps(size: int, start: float, stop: float, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Which old pixels each of `count` new ones covers along one axis, and how much of each (0..1).

    Returns:
        Places `[K,count]` and shares `[K,count]`; where a new pixel covers fewer than K, its first place stands again,
        with a share of 0.
    """
    edges = start + (stop - start) * np.arange(count + 1) / count  # whole numbers come out exactly
    first = np.floor(edges[:-1]).astype(np.intp).clip(max=size - 1)
    places = first + np.arange(int((np.ceil(edges[1:]) - first).max()))[:, np.newaxis]
    shares = (np.minimum(edges[1:], places + 1) - np.maximum(edges[:-1], places)).clip(min=0)
    return np.where((shares > 0) & (places < size), places, first), shares


def _vote(
    labels_hw: npt.NDArray[np.uint8],
    rows: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]],
    columns: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]],
) -> npt.NDArray[np.uint8]:
    """Most new pixels cover one label only; the others take a vote, by area.

    Args:
        labels_hw: uint8 `[H,W]`, the part that is resized.
        rows: `_overlaps` of the new rows.
        columns: `_overlaps` of the new columns.
    """
    blocks = labels_hw.take(rows[0], axis=0).take(columns[0], axis=2)  # [old rows, new rows, old columns, new columns]
    resized_hw = blocks.min(axis=0).min(axis=1)
    y, x = np.nonzero(resized_hw != blocks.max(axis=0).max(axis=1))
    areas = rows[1].T[y][:, :, np.newaxis] * columns[1].T[x][:, np.newaxis, :]  # [mixed new pixels, old rows, columns]
    values = blocks[:, y, :, x].reshape(areas.shape)

    counts = np.bincount(labels_hw.reshape(-1), minlength=IGNORE_ID + 1)
    counts[IGNORE_ID] *= labels_hw.size  # the last to win, where it occurs at all
    rarest_first = np.argsort(counts, kind="stable")[np.count_nonzero(counts == 0) :]
    rank_of_label = np.zeros(IGNORE_ID + 1, dtype=np.intp)
    rank_of_label[rarest_first] = np.arange(len(rarest_first))
    ballots = rank_of_label[values] + (np.arange(len(y)) * len(rarest_first))[:, np.newaxis, np.newaxis]
    votes = np.bincount(ballots.reshape(-1), areas.reshape(-1), len(y) * len(rarest_first))
    votes = votes.reshape(len(y), len(rarest_first))
    winners = (votes > votes.max(axis=1, keepdims=True) - _TIE).argmax(axis=1)  # the first of those that are equal
    resized_hw[y, x] = rarest_first[winners]
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
