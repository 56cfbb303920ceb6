"""The layout "pairs": photo on the left, colour mask on the right of one picture, in folders `train` and `val`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from trainer.data.images import decode_image

LAYOUT = "pairs"
SPLITS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png")
_NEEDED = ("train", "val")
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """Which files of a source are pairs.

    Attributes:
        root: the folder that holds the splits, "" or ending in "/".
        splits: the names of each split's pictures relative to `root`, in natural order (1, 2, 10); `train` and `val`
            are always there, empty where their folder is missing, `test` where the data set has it.
        others: files of those folders that are neither JPEG nor PNG by their name.
    """

    root: str
    splits: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]


def find_pairs(names: Iterable[str]) -> PairFiles | None:
    """Finds the folders `train` and `val` that hold pictures, at any depth, side by side.

    Args:
        names: every file of the source, "/"-separated.

    Returns:
        The one place that has them, or None where there is none.

    Raises:
        DataError: there is more than one such place.
    """
    places: dict[str, list[str]] = {}
    for name in names:
        *folders, _ = name.split("/")
        if folders and folders[-1] in SPLITS:
            root = "".join(f"{folder}/" for folder in folders[:-1])
            places.setdefault(root, []).append(name.removeprefix(root))
    roots = sorted(root for root, files in places.items() if any(_is_needed(file) for file in files))
    if not roots:
        return None
    if len(roots) > 1:
        shown = ", ".join(root or "./" for root in roots[:5])
        raise DataError(
            f"expected folders {' and '.join(_NEEDED)} in one place, got them in {len(roots)}: {shown}; "
            "name the folder of one of them"
        )
    return _sort(roots[0], places[roots[0]])


def split_pair(data: bytes, where: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Decodes one picture and takes it apart.

    Args:
        data: the bytes of a JPEG or PNG that is twice as wide as high.
        where: the file's path, for the message.

    Returns:
        The photo and the colour mask, each uint8 `[H,H,3]`, RGB, contiguous.

    Raises:
        DataError: it can't be decoded, or is not twice as wide as high.
    """
    both = decode_image(data, where)
    height, width = both.shape[:2]
    if width != 2 * height:
        raise DataError(
            f"{where}: expected photo and mask side by side, two to one, got {width}x{height}; "
            "remove the file or name a data set of image pairs"
        )
    return np.ascontiguousarray(both[:, :height]), np.ascontiguousarray(both[:, height:])


def natural_order(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A sort key that puts numbers in names in their own order: 1, 2, 10."""
    parts = _NUMBER.split(name)  # text, digits, text, ...: like is compared with like
    key = tuple((len(part.lstrip("0")), part.lstrip("0")) if at % 2 else (0, part) for at, part in enumerate(parts))
    return key, name  # the name itself tells 1 from 01


def is_picture(name: str) -> bool:
    """Whether a file's name says JPEG or PNG."""
    return name.lower().endswith(SUFFIXES)


def _is_needed(file: str) -> bool:
    return is_picture(file) and file.split("/")[0] in _NEEDED


def _sort(root: str, files: list[str]) -> PairFiles:
    pictures = sorted((file for file in files if is_picture(file)), key=natural_order)
    by_split = {split: tuple(file for file in pictures if file.startswith(f"{split}/")) for split in SPLITS}
    return PairFiles(
        root=root,
        splits={split: found for split, found in by_split.items() if found or split in _NEEDED},
        others=tuple(sorted(root + file for file in files if not is_picture(file))),
    )
