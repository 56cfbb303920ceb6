"""Colour masks to labels: which colour of a table each pixel was, also where JPEG let colours bleed into each other.

A pixel goes to a colour first and to that colour's class after, so a pixel of an ignored colour never drifts into the
class whose colour happens to be second nearest.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, UsageError
from runtime.spec import IGNORE_ID
from trainer.data.label_space import Colour, LabelSpace

Unsure = Literal["nearby", "nearest", "ignore"]

CONFIDENT_DISTANCE = 18  # in RGB; JPEG at quality 95 moves a pixel less than this where its surroundings are uniform
REACH_PX = 2  # chroma at half resolution, smoothed when it is brought back, spreads an edge over this many pixels
BLEND_REACH_PX = 3  # how far from an unsure pixel a sure one may still be a blend
VERSION = 2  # of the way colours are decided; a change makes what `cache` holds stale

_MAX_COLOURS = 32  # five bits of a score hold the colour's key, see _score_weights; and one bit each in a uint32
_BLOCK_PX = 4096  # pixels scored at a time: the scores of 29 colours stay within a 512 KiB cache
_CHROMA_WEIGHT = 0.07  # of squared chroma beside squared luma, which JPEG keeps at full resolution
_LUMA_MARGIN = 18.0  # ringing of a JPEG's luma beside an edge, of 255
_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def labels_from_colours(
    mask_hwc: npt.NDArray[np.uint8], space: LabelSpace, unsure: Unsure = "nearby"
) -> npt.NDArray[np.uint8]:
    """Turns a colour mask into labels.

    Args:
        mask_hwc: uint8 `[H,W,3]`, RGB.
        space: whose classes the labels are to be.
        unsure: what becomes of a pixel that is near no colour: `nearby`, the best of the colours around it that are
            sure (so too for a pixel that may be a blend of those by its surroundings); `nearest`, the nearest of all
            colours, which invents classes along edges; `ignore`, 255.

    Returns:
        uint8 `[H,W]`: 0..len(space.classes)-1, or 255 where the pixel's colour is ignored.

    Raises:
        DataError: the mask is not uint8 `[H,W,3]`.
        UsageError: no way to treat unsure pixels has that name, or the label space has more than 32 colours.
    """
    indices_hw, unsure_hw = colour_indices(mask_hwc, space.colours, unsure)
    labels_hw = np.array(space.class_of_colour, dtype=np.uint8)[indices_hw]
    if unsure == "ignore":
        labels_hw[unsure_hw] = IGNORE_ID
    return labels_hw


def colour_indices(
    mask_hwc: npt.NDArray[np.uint8], colours: tuple[Colour, ...], unsure: Unsure = "nearby"
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Finds which colour each pixel was before compression.

    Args:
        mask_hwc: uint8 `[H,W,3]`, RGB.
        colours: the distinct colours that the mask was drawn in, at most 32.
        unsure: as in `labels_from_colours`; `ignore` gives the same indices as `nearest`.

    Returns:
        uint8 `[H,W]`, places in `colours`, and bool `[H,W]`, true where the pixel is further than
        `CONFIDENT_DISTANCE` from every colour. Where none is, as in a PNG, every pixel gets its nearest colour.

    Raises:
        DataError: the mask is not uint8 `[H,W,3]`.
        UsageError: no way to treat unsure pixels has that name, or there are more than 32 colours.
    """
    if mask_hwc.dtype != np.uint8 or mask_hwc.ndim != 3 or mask_hwc.shape[2] != 3:
        raise DataError(
            f"expected a colour mask as uint8 [H,W,3], got {mask_hwc.dtype} {list(mask_hwc.shape)}; decode it as RGB"
        )
    if unsure not in get_args(Unsure):
        raise UsageError(
            f"expected unsure pixels as one of {', '.join(get_args(Unsure))}, got {unsure!r}; choose one of them"
        )
    height, width = mask_hwc.shape[:2]
    pixels = np.ones((4, height * width), dtype=np.float32)  # r, g, b, 1
    pixels[:3] = mask_hwc.reshape(-1, 3).T
    indices, unsure_px = _nearest(pixels, colours)
    if unsure == "nearby" and unsure_px.any():
        doubtful_px = unsure_px | _outvoted(indices, unsure_px, height, width, colours)
        places = np.flatnonzero(doubtful_px)
        around = _sure_around(indices, doubtful_px, height, width, colours)[places]
        for start in range(0, len(places), _BLOCK_PX):
            block = slice(start, start + _BLOCK_PX)
            indices[places[block]] = _best_allowed(pixels[:, places[block]], around[block], colours)
    return indices.reshape(height, width), unsure_px.reshape(height, width)


def _nearest(
    pixels: npt.NDArray[np.float32], colours: tuple[Colour, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The nearest colour of each pixel `[4,N]`, in exact arithmetic, and whether it is too far to be sure.

    Nearest is by squared Euclidean distance in RGB; of colours equally near, the first in the table is taken.
    """
    weights = _score_weights(colours)
    count = pixels.shape[1]
    indices = np.empty(count, dtype=np.uint8)
    far = np.empty(count, dtype=np.bool_)
    for start in range(0, count, _BLOCK_PX):
        block = pixels[:, start : start + _BLOCK_PX]
        best = (weights @ block).max(axis=0).astype(np.int32)
        indices[start : start + _BLOCK_PX] = _MAX_COLOURS - 1 - (best & (_MAX_COLOURS - 1))
        distance = (block[:3] * block[:3]).sum(axis=0) - (best >> 5)  # |p|^2 - (2 c.p - |c|^2)
        far[start : start + _BLOCK_PX] = distance > CONFIDENT_DISTANCE**2
    return indices, far


def _sure_around(
    indices: npt.NDArray[np.uint8],
    unsure_px: npt.NDArray[np.bool_],
    height: int,
    width: int,
    colours: tuple[Colour, ...],
) -> npt.NDArray[np.uint32]:
    """Which colours are sure within `REACH_PX` to each side of every pixel: uint32 `[N]`, one bit a rank of luma."""
    bit_of_colour = np.uint32(1) << np.argsort(_Lumas.of(colours).order).astype(np.uint32)
    bits_hw = np.where(unsure_px, np.uint32(0), bit_of_colour[indices]).reshape(height, width)
    return _spread(bits_hw, REACH_PX).reshape(-1)


def _spread(bits_hw: npt.NDArray[Any], reach_px: int) -> npt.NDArray[Any]:
    """Each pixel's bits (or truth), or-ed over the square of so many pixels to each side."""
    for axis in (0, 1):
        source = np.moveaxis(bits_hw, axis, 0)
        bits_hw = bits_hw.copy()
        target = np.moveaxis(bits_hw, axis, 0)
        for shift in range(1, reach_px + 1):
            target[shift:] |= source[:-shift]
            target[:-shift] |= source[shift:]
    return bits_hw


def _outvoted(
    indices: npt.NDArray[np.uint8],
    unsure_px: npt.NDArray[np.bool_],
    height: int,
    width: int,
    colours: tuple[Colour, ...],
) -> npt.NDArray[np.bool_]:
    """Where a sure pixel `[N]` may be a blend: around it, a colour of like luma is sure on more pixels than its own.

    A car's edge before a house has a car's luma and half its chroma: exactly the colour of a truck. Only where a pixel
    near by is unsure: far from one nothing was blended, and a single odd pixel must not change the rest of a PNG.
    """
    lumas = _Lumas.of(colours)
    rank_of_colour = np.argsort(lumas.order).astype(np.uint8)
    alike = abs(lumas.values[:, np.newaxis] - lumas.values) <= _LUMA_MARGIN  # [rank, rank]
    np.fill_diagonal(alike, val=False)
    bits_of_rank = (alike * (np.uint32(1) << np.arange(len(colours), dtype=np.uint32))).sum(axis=1, dtype=np.uint32)
    ranks = rank_of_colour[indices]
    around = _sure_around(indices, unsure_px, height, width, colours)
    blended_px = _spread(unsure_px.reshape(height, width), BLEND_REACH_PX).reshape(-1)
    outvoted_px = ~unsure_px & blended_px & (around & bits_of_rank[ranks] != 0)
    places = np.flatnonzero(outvoted_px)
    padded = np.full((height + 2 * REACH_PX, width + 2 * REACH_PX), _MAX_COLOURS, dtype=np.uint8)
    padded[REACH_PX:-REACH_PX, REACH_PX:-REACH_PX] = np.where(unsure_px, _MAX_COLOURS, ranks).reshape(height, width)
    steps = np.arange(2 * REACH_PX + 1)
    offsets = (steps[:, np.newaxis] * padded.shape[1] + steps).reshape(-1, 1)
    near = padded.reshape(-1)[offsets + places // width * padded.shape[1] + places % width]  # [25, places]
    own = ranks[places]
    own_votes = (near == own).sum(axis=0, dtype=np.uint8)
    beaten = np.zeros(len(places), dtype=np.bool_)
    for rank in np.flatnonzero(np.bincount(own, minlength=len(colours)) @ alike):
        beaten |= alike[rank][own] & ((near == rank).sum(axis=0, dtype=np.uint8) > own_votes)
    outvoted_px[places] = beaten
    return outvoted_px


def _best_allowed(
    pixels: npt.NDArray[np.float32], around: npt.NDArray[np.uint32], colours: tuple[Colour, ...]
) -> npt.NDArray[np.intp]:
    """The colour nearest to each unsure pixel `[4,N]` in luma and, with less weight, chroma.

    Only colours that are sure around the pixel are taken, unless its luma lies outside of theirs: a blend of them could
    not look so, and a thing too thin to be sure anywhere, such as a pole before a tree, does.
    """
    lumas = _Lumas.of(colours)
    lowest = lumas.values[_highest_bit(around & (~around + np.uint32(1)))]
    highest = lumas.values[_highest_bit(around)]
    luma = _TO_YCBCR[0].astype(np.float32) @ pixels[:3]
    alien = (luma < lowest - _LUMA_MARGIN) | (luma > highest + _LUMA_MARGIN) | (around == 0)
    allowed = np.where(alien, np.uint32(0xFFFFFFFF), around)
    scores = lumas.weights @ pixels
    ranks = np.arange(len(colours), dtype=np.uint32)[:, np.newaxis]
    scores[(allowed >> ranks) & 1 == 0] = -np.inf
    return lumas.order[scores.argmax(axis=0)]


def _highest_bit(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """The place of the highest bit that is set, 0 where none is."""
    return np.maximum(np.frexp(bits.astype(np.float64))[1] - 1, 0)


@dataclass(frozen=True, eq=False)
class _Lumas:
    """Colours in the order of their luma.

    Attributes:
        order: places in the table `[colours]`.
        values: their luma `[colours]`, float32, 0..255, rising.
        weights: `[colours, 4]`, whose product with (r, g, b, 1) is largest for the nearest colour in weighted YCbCr.
    """

    order: npt.NDArray[np.intp]
    values: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(colours: tuple[Colour, ...]) -> "_Lumas":
        """Source of the matrix: ITU-T T.871 (JFIF), section 7; the offsets of Cb and Cr cancel out in a distance."""
        stretched = np.sqrt([1.0, _CHROMA_WEIGHT, _CHROMA_WEIGHT])[:, np.newaxis] * _TO_YCBCR
        table = np.array(colours, dtype=np.float64) @ stretched.T
        order = np.argsort(table[:, 0], kind="stable")
        table = table[order]
        weights = np.concatenate([2 * table @ stretched, -(table**2).sum(axis=1, keepdims=True)], axis=1)
        return _Lumas(order, table[:, 0].astype(np.float32), weights.astype(np.float32))


@lru_cache(maxsize=8)
def _score_weights(colours: tuple[Colour, ...]) -> npt.NDArray[np.float32]:
    """Weights `[colours, 4]` whose product with (r, g, b, 1) is largest for the nearest colour, which it also names.

    |p - c|^2 is least where 2 c.p - |c|^2 is largest. That whole number times 32, plus the colour's key (31 for the
    first, falling), keeps the order, sends a tie to the first colour, and lets a plain max carry the key in its lowest
    five bits. No partial sum passes 32 * 2 * 3 * 255^2 = 12,484,800 < 2^24, so float32 holds each one exactly.
    """
    if len(colours) > _MAX_COLOURS:
        raise UsageError(
            f"expected at most {_MAX_COLOURS} distinct mask colours, got {len(colours)}; widen the key in the score"
        )
    table = np.array(colours, dtype=np.int64)
    weights = np.empty((len(colours), 4), dtype=np.int64)
    weights[:, :3] = 2 * table
    weights[:, 3] = -(table**2).sum(axis=1)
    weights *= _MAX_COLOURS
    weights[:, 3] += _MAX_COLOURS - 1 - np.arange(len(colours))
    return weights.astype(np.float32)
