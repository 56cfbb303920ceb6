"""The layout "folder": one's own data, photos in `images` and masks of the same stem in `masks`, a folder a split.

Both orders are taken, `train/images/1.jpg` with `train/masks/1.png`, and `images/train/1.jpg` with
`masks/train/1.png`; what the masks' values mean stands in `classes.toml` beside them, see `classes_file`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from trainer.data.classes_file import FILE
from trainer.data.layout import SPLITS, Key, Layout, is_picture, match_files, only_root, stem

NAME = "folder"
_PHOTOS, _MASKS = "images", "masks"


@dataclass
class _Place:
    photos: list[tuple[Key, str]] = field(default_factory=list)
    masks: list[tuple[Key, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find(names: Iterable[str]) -> Layout | None:
    """Finds the place that has pictures in both `images` and `masks`, or in one of them beside `classes.toml`.

    Args:
        names: every file of the source, "/"-separated.

    Raises:
        DataError: there is more than one such place.
    """
    places: dict[str, _Place] = {}
    described: set[str] = set()
    for name in names:
        if name.rpartition("/")[2] == FILE:
            described.add(name.removesuffix(FILE))
        folders = name.split("/")
        at = next((at for at in range(len(folders) - 2) if _is_place(folders[at], folders[at + 1])), None)
        if at is None:
            continue
        root = "".join(f"{folder}/" for folder in folders[:at])
        place, path = places.setdefault(root, _Place()), name.removeprefix(root)
        split, kind = sorted(folders[at : at + 2], key=lambda folder: folder not in SPLITS)
        if is_picture(name):
            key = (split, stem("/".join(folders[at + 2 :])))
            (place.photos if kind == _PHOTOS else place.masks).append((key, path))
        else:
            place.others.append(path)
    whole = [root for root, place in places.items() if place.photos and place.masks]
    # with all masks gone the photos would pass for pairs, unless the file beside them says what they are
    half = [root for root in described & places.keys() if places[root].photos or places[root].masks]
    root_or_none = only_root(whole or half, f"folders {_PHOTOS} and {_MASKS}")
    if root_or_none is None:
        return None
    found = places[root_or_none]
    return match_files(NAME, root_or_none, found.photos, found.masks, found.others)


def _is_place(outer: str, inner: str) -> bool:
    kinds = (_PHOTOS, _MASKS)
    return (outer in SPLITS and inner in kinds) or (outer in kinds and inner in SPLITS)
