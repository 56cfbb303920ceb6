"""The layout "pairs": photo on the left, colour mask on the right of one picture, in folders `train` and `val`."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from trainer.data.images import decode_image
from trainer.data.layout import NEEDED, SPLITS, Layout, is_picture, natural_order, only_root, present

NAME = "pairs"


def find(names: Iterable[str]) -> Layout | None:
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
    candidates = (root for root, files in places.items() if any(_is_needed(file) for file in files))
    root_or_none = only_root(candidates, f"folders {' and '.join(NEEDED)}")
    if root_or_none is None:
        return None
    files = places[root_or_none]
    pictures = sorted((file for file in files if is_picture(file)), key=natural_order)
    return Layout(
        name=NAME,
        root=root_or_none,
        splits=present({split: tuple(file for file in pictures if file.startswith(f"{split}/")) for split in SPLITS}),
        masks={},
        unmatched={},
        others=tuple(sorted(file for file in files if not is_picture(file))),
    )


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


def _is_needed(file: str) -> bool:
    return is_picture(file) and file.split("/")[0] in NEEDED
