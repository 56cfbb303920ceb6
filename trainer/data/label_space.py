"""Label spaces: which colours of a Cityscapes mask are which class, and colour masks turned into labels.

A pixel goes to the nearest of all the colours first and to that colour's class after, so a pixel of an ignored colour
never drifts into the class whose colour happens to be second nearest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, UsageError
from runtime.spec import IGNORE_ID
from trainer.data.cityscapes import CITYSCAPES, CityscapesId

Colour = tuple[int, int, int]

_MAX_COLOURS = 32  # five bits of a score hold the colour's key, see _score_weights
_BLOCK_PX = 4096  # pixels scored at a time: the scores of 29 colours stay within a 512 KiB cache

# the member whose colour stands for its category, chosen so that the seven are told apart on a panel
_CATEGORY_LEADERS = {
    "flat": "road",
    "construction": "building",
    "object": "traffic sign",
    "nature": "vegetation",
    "sky": "sky",
    "human": "person",
    "vehicle": "car",
}


@dataclass(frozen=True)
class LabelSpace:
    """The classes that labels mean, and the mask colours they come from.

    Attributes:
        name: `categories`, `cityscapes` or `names`.
        classes: one name a class; the index is the label.
        palette: one RGB (0..255) a class, to draw it with.
        members: the Cityscapes names that make up each class.
        colours: every distinct RGB of the masks, in the order of the Cityscapes table.
        class_of_colour: the label of each of `colours`, or 255 where it is ignored.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    members: tuple[tuple[str, ...], ...]
    colours: tuple[Colour, ...]
    class_of_colour: tuple[int, ...]


def label_space(name: str) -> LabelSpace:
    """Builds the label space of that name.

    Args:
        name: `categories` (7 classes, void ignored), `cityscapes` (the 19 evaluated classes) or `names` (28: every
            name that a colour tells apart, black ignored).

    Raises:
        UsageError: no label space has that name.
    """
    builders: dict[str, Callable[[], LabelSpace]] = {
        "categories": _categories,
        "cityscapes": _cityscapes,
        "names": _names,
    }
    if name not in builders:
        raise UsageError(f"expected a label space among {', '.join(builders)}, got {name!r}; choose one of them")
    return builders[name]()


def labels_from_colours(mask_hwc: npt.NDArray[np.uint8], space: LabelSpace) -> npt.NDArray[np.uint8]:
    """Turns a colour mask into labels: the class of the nearest colour, in exact arithmetic.

    Nearest is by squared Euclidean distance in RGB; of colours equally near, the first in the table is taken.

    Args:
        mask_hwc: uint8 `[H,W,3]`, RGB.
        space: whose classes the labels are to be.

    Returns:
        uint8 `[H,W]`: 0..len(space.classes)-1, or 255 where the nearest colour is ignored.

    Raises:
        DataError: the mask is not uint8 `[H,W,3]`.
    """
    if mask_hwc.dtype != np.uint8 or mask_hwc.ndim != 3 or mask_hwc.shape[2] != 3:
        raise DataError(
            f"expected a colour mask as uint8 [H,W,3], got {mask_hwc.dtype} {list(mask_hwc.shape)}; decode it as RGB"
        )
    height, width = mask_hwc.shape[:2]
    weights = _score_weights(space.colours)
    class_of_key = np.full(_MAX_COLOURS, IGNORE_ID, dtype=np.uint8)
    class_of_key[_keys(len(space.colours))] = space.class_of_colour
    pixels = np.ones((4, height * width), dtype=np.float32)  # r, g, b, 1
    pixels[:3] = mask_hwc.reshape(-1, 3).T
    labels = np.empty(height * width, dtype=np.uint8)
    for start in range(0, height * width, _BLOCK_PX):
        best = (weights @ pixels[:, start : start + _BLOCK_PX]).max(axis=0)
        labels[start : start + _BLOCK_PX] = class_of_key[best.astype(np.int32) & (_MAX_COLOURS - 1)]
    return labels.reshape(height, width)


def _keys(count: int) -> npt.NDArray[np.int64]:
    """The number that stands for each colour in a score: falling, so that the first of equally near ones wins."""
    return _MAX_COLOURS - 1 - np.arange(count)


@lru_cache(maxsize=8)
def _score_weights(colours: tuple[Colour, ...]) -> npt.NDArray[np.float32]:
    """Weights `[colours, 4]` whose product with (r, g, b, 1) is largest for the nearest colour, which it also names.

    |p - c|^2 is least where 2 c.p - |c|^2 is largest. That whole number times 32, plus the colour's key (0..31), keeps
    the order, sends a tie to the first colour, and lets a plain max carry the key in its lowest five bits. No partial
    sum passes 32 * 2 * 3 * 255^2 = 12,484,800 < 2^24, so float32 holds each one exactly.
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
    weights[:, 3] += _keys(len(colours))
    return weights.astype(np.float32)


def _categories() -> LabelSpace:
    names = tuple(_CATEGORY_LEADERS)
    leaders = {entry.name: entry.colour for entry in CITYSCAPES}
    return _build(
        "categories",
        names,
        tuple(leaders[_CATEGORY_LEADERS[name]] for name in names),
        lambda entry: None if entry.category == "void" else entry.category,
    )


def _cityscapes() -> LabelSpace:
    evaluated = sorted((entry for entry in CITYSCAPES if not entry.ignored), key=lambda entry: entry.train_id)
    class_by_colour = {entry.colour: entry.name for entry in evaluated}
    return _build(
        "cityscapes",
        tuple(entry.name for entry in evaluated),
        tuple(entry.colour for entry in evaluated),
        lambda entry: class_by_colour.get(entry.colour),  # a mask can't tell pole from polegroup
    )


def _names() -> LabelSpace:
    first_by_colour: dict[Colour, CityscapesId] = {}
    for entry in CITYSCAPES:
        first_by_colour.setdefault(entry.colour, entry)
    unlabelled = CITYSCAPES[0].colour
    kept = [entry for entry in first_by_colour.values() if entry.colour != unlabelled]
    return _build(
        "names",
        tuple(entry.name for entry in kept),
        tuple(entry.colour for entry in kept),
        lambda entry: None if entry.colour == unlabelled else first_by_colour[entry.colour].name,
    )


def _build(
    name: str,
    classes: tuple[str, ...],
    palette: tuple[Colour, ...],
    class_name_of: Callable[[CityscapesId], str | None],
) -> LabelSpace:
    """Fills in members and colours from what class each row of the table belongs to (None: ignored)."""
    members: dict[str, list[str]] = {each: [] for each in classes}
    class_of_colour: dict[Colour, int] = {}
    for entry in CITYSCAPES:
        class_name = class_name_of(entry)
        class_of_colour[entry.colour] = IGNORE_ID if class_name is None else classes.index(class_name)
        if class_name is not None:
            members[class_name].append(entry.name)
    return LabelSpace(
        name=name,
        classes=classes,
        palette=palette,
        members=tuple(tuple(members[each]) for each in classes),
        colours=tuple(class_of_colour),
        class_of_colour=tuple(class_of_colour.values()),
    )
