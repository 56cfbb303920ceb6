"""What layouts have in common: splits, pictures by name, photos matched with masks; knows no layout in particular."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtime.errors import DataError

SPLITS = ("train", "val", "test")
NEEDED = ("train", "val")  # what a training can't do without
SUFFIXES = (".jpg", ".jpeg", ".png")
_NUMBER = re.compile(r"([0-9]+)")

Key = tuple[str, str]  # split, and what photo and mask of one frame have in common


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which files of a source are the frames of a data set.

    Attributes:
        name: `pairs`, `cityscapes`, `camvid` or `folder`.
        root: the folder that holds it all, "" or ending in "/"; the names below are relative to it.
        splits: the photos of each split in natural order (1, 2, 10); `train` and `val` are always there, perhaps empty.
        masks: the mask of each photo; empty where photo and mask are one picture.
        unmatched: by split, photos without a mask, masks without a photo, and those that are not one to one.
        others: files in the splits' folders that are not pictures by their name.
    """

    name: str
    root: str
    splits: Mapping[str, tuple[str, ...]]
    masks: Mapping[str, str]
    unmatched: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]

    def files(self) -> set[str]:
        """Every file that the layout lays claim to, by its name in the source."""
        pictures = (name for names in (*self.splits.values(), *self.unmatched.values()) for name in names)
        return {self.root + name for name in (*pictures, *self.masks.values(), *self.others)}


def match_files(
    name: str, root: str, photos: Iterable[tuple[Key, str]], masks: Iterable[tuple[Key, str]], others: Iterable[str]
) -> Layout:
    """Brings photos and masks of the same key together, where each is the only one.

    Args:
        name: of the layout.
        root: the folder that holds it all, "" or ending in "/".
        photos: key and file, relative to `root`.
        masks: key and file, relative to `root`.
        others: files that are not pictures, relative to `root`.
    """
    photos_by, masks_by = _grouped(photos), _grouped(masks)
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    partner: dict[str, str] = {}
    unmatched: dict[str, list[str]] = {}
    for key in photos_by | masks_by:
        here, there = photos_by.get(key, []), masks_by.get(key, [])
        if len(here) == len(there) == 1:
            splits[key[0]].append(here[0])
            partner[here[0]] = there[0]
        else:
            unmatched.setdefault(key[0], []).extend(here + there)
    return Layout(
        name=name,
        root=root,
        splits=present({split: tuple(sorted(files, key=natural_order)) for split, files in splits.items()}),
        masks=partner,
        unmatched={split: tuple(sorted(files, key=natural_order)) for split, files in unmatched.items()},
        others=tuple(sorted(others)),
    )


def present(splits: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The splits that have frames, and those that are needed all the same."""
    return {split: names for split, names in splits.items() if names or split in NEEDED}


def only_root(roots: Iterable[str], what: str) -> str | None:
    """The one folder where a layout was found, or None where there is none.

    Raises:
        DataError: there is more than one.
    """
    found = sorted(roots)
    if len(found) > 1:
        shown = ", ".join(root or "./" for root in found[:5])
        raise DataError(
            f"expected {what} in one place, got them in {len(found)}: {shown}; name the folder of one of them"
        )
    return found[0] if found else None


def natural_order(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A sort key that puts numbers in names in their own order: 1, 2, 10."""
    parts = _NUMBER.split(name)  # text, digits, text, ...: like is compared with like
    key = tuple((len(part.lstrip("0")), part.lstrip("0")) if at % 2 else (0, part) for at, part in enumerate(parts))
    return key, name  # the name itself tells 1 from 01


def is_picture(name: str) -> bool:
    """Whether a file's name says JPEG or PNG."""
    return name.lower().endswith(SUFFIXES)


def stem(file: str) -> str:
    """A file's name without the last suffix: what photo and mask of a frame share."""
    return file.rpartition(".")[0]


def _grouped(files: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for key, file in files:
        groups.setdefault(key, []).append(file)
    return groups
