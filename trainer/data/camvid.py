"""The layout "camvid": photos in `train val test`, id masks of the same stem in `trainannot valannot testannot`.

The layout, the eleven classes and their colours are those of the SegNet tutorial, by which CamVid is mostly compared;
source: Badrinarayanan, Kendall, Cipolla, "SegNet", 2017, and Brostow et al., "Semantic object classes in video", 2009.
"""

from collections.abc import Iterable

from trainer.data.layout import SPLITS, Key, Layout, is_picture, match_files, only_root, stem

NAME = "camvid"
UNLABELLED_ID = 11
CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (  # the place is the id in the masks, and the label
    ("Sky", (128, 128, 128)),
    ("Building", (128, 0, 0)),
    ("Pole", (192, 192, 128)),
    ("Road", (128, 64, 128)),
    ("Pavement", (60, 40, 222)),
    ("Tree", (128, 128, 0)),
    ("SignSymbol", (192, 128, 128)),
    ("Fence", (64, 64, 128)),
    ("Car", (64, 0, 128)),
    ("Pedestrian", (64, 64, 0)),
    ("Bicyclist", (0, 128, 192)),
)
_FOLDERS = {split: (split, False) for split in SPLITS} | {f"{split}annot": (split, True) for split in SPLITS}


def find(names: Iterable[str]) -> Layout | None:
    """Finds a place with a folder of masks, `trainannot`, `valannot` or `testannot`, and any picture.

    Args:
        names: every file of the source, "/"-separated.

    Raises:
        DataError: there is more than one such place.
    """
    places: dict[str, dict[str, list[str]]] = {}  # root, folder -> files
    for name in names:
        *folders, file = name.split("/")
        if folders and folders[-1] in _FOLDERS:
            root = "".join(f"{folder}/" for folder in folders[:-1])
            places.setdefault(root, {}).setdefault(folders[-1], []).append(file)
    roots = (root for root, folders in places.items() if _holds_masks(folders) and _holds_pictures(folders))
    root_or_none = only_root(roots, "CamVid's folders, such as trainannot,")
    if root_or_none is None:
        return None
    photos: list[tuple[Key, str]] = []
    masks: list[tuple[Key, str]] = []
    others: list[str] = []
    for folder, files in places[root_or_none].items():
        split, holds_masks = _FOLDERS[folder]
        for file in files:
            path = f"{folder}/{file}"
            if not is_picture(file):
                others.append(path)
            else:
                (masks if holds_masks else photos).append(((split, stem(file)), path))
    return match_files(NAME, root_or_none, photos, masks, others)


def _holds_masks(folders: dict[str, list[str]]) -> bool:
    return any(_FOLDERS[folder][1] for folder in folders)


def _holds_pictures(folders: dict[str, list[str]]) -> bool:
    return any(is_picture(file) for files in folders.values() for file in files)
