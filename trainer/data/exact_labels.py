"""Mask values to labels by a table, exactly: a value that the table lacks is told with its place, never guessed.

For masks without loss (PNG). Colours that went through JPEG are `colours`' matter.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from runtime.spec import IGNORE_ID
from trainer.data.label_space import Colour, LabelSpace
from trainer.data.masks import Mask

MAX_ID = 65535  # what a 16-bit mask can hold
_SHOWN = 3  # strays in one message

Values = npt.NDArray[np.integer[Any]]  # [H*W]: ids, or colours as 0xRRGGBB


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A mask value that no class has and that is not ignored either.

    Attributes:
        value: an id, or an RGB colour.
        x: column of the first such pixel, reading line by line, from 0.
        y: its row, from 0.
        count: pixels of that value.
    """

    value: int | Colour
    x: int
    y: int
    count: int

    def __str__(self) -> str:
        pixels = "pixel" if self.count == 1 else "pixels"
        return f"value {self.value} at x {self.x}, y {self.y} ({self.count} {pixels})"


def exact_labels(mask: Mask, space: LabelSpace) -> tuple[npt.NDArray[np.uint8], tuple[Stray, ...]]:
    """Looks each value up in the table of a label space.

    Args:
        mask: ids `[H,W]`, uint8 or uint16, or colours `[H,W,3]`, uint8 RGB.
        space: whose `ids` or `colours` are the table.

    Returns:
        uint8 labels `[H,W]`, 255 where ignored or stray; and the strays, in the order of their values.
    """
    coloured = mask.ndim == 3
    values: Values = _packed(mask) if coloured else mask.reshape(-1)
    labels, known = (_look_up_colour if coloured else _look_up_id)(values, space)
    strays = () if known.all() else _strays(values, known, mask.shape[1], coloured=coloured)
    return labels.reshape(mask.shape[:2]), strays


def require_no_stray(strays: tuple[Stray, ...], where: str) -> None:
    """Raises DataError with file, value, x, y and count where a mask has values that mean nothing."""
    if strays:
        shown = ", ".join(map(str, strays[:_SHOWN])) + (", ..." if len(strays) > _SHOWN else "")
        raise DataError(
            f"{where}: expected only values that a class has or that are ignored, got {shown}; "
            "correct the mask, or name the value among the classes or what is ignored"
        )


def _look_up_id(values: Values, space: LabelSpace) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    label_of, known = _id_table(space.ids, space.class_of_id)
    return label_of[values], known[values]


@lru_cache(maxsize=8)
def _id_table(
    ids: tuple[int, ...], class_of_id: tuple[int, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    label_of = np.full(MAX_ID + 1, IGNORE_ID, np.uint8)
    known = np.zeros(MAX_ID + 1, np.bool_)
    label_of[list(ids)] = class_of_id
    known[list(ids)] = True
    return label_of, known


def _packed(mask_hwc: Mask) -> npt.NDArray[np.int32]:
    """Each colour as one number, 0xRRGGBB, `[H*W]`."""
    pixels = mask_hwc.reshape(-1, 3).astype(np.int32)
    return (pixels[:, 0] << 16) | (pixels[:, 1] << 8) | pixels[:, 2]


def _look_up_colour(values: Values, space: LabelSpace) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    table = _packed(np.array([space.colours], np.uint8))
    order = table.argsort()
    places = np.searchsorted(table[order], values).clip(max=len(table) - 1)
    known = table[order][places] == values
    labels = np.array(space.class_of_colour, np.uint8)[order][places]
    labels[~known] = IGNORE_ID
    return labels, known


def _strays(values: Values, known: npt.NDArray[np.bool_], width_px: int, *, coloured: bool) -> tuple[Stray, ...]:
    places = np.flatnonzero(~known)
    found, first, counts = np.unique(values[places], return_index=True, return_counts=True)
    return tuple(
        Stray(
            value=(value >> 16, value >> 8 & 255, value & 255) if coloured else value,
            x=place % width_px,
            y=place // width_px,
            count=count,
        )
        for value, place, count in zip(found.tolist(), places[first].tolist(), counts.tolist(), strict=True)
    )
