"""The layout "cityscapes": the data set's own tree, photos in `leftImg8bit`, id masks in `gtFine`, a folder a city.

Source: https://github.com/mcordts/cityscapesScripts#dataset-structure. The ids' table is `cityscapes`.
"""

import re
from collections.abc import Iterable

from trainer.data.layout import NEEDED, Key, Layout, match_files, only_root

NAME = "cityscapes"
_PHOTOS, _MASKS = "leftImg8bit", "gtFine"
_FILE = re.compile(rf"(?P<root>(?:.*/)?)(?P<kind>{_PHOTOS}|{_MASKS})/(?P<split>train|val|test)/(?P<file>[^/]+/[^/]+)")
_ENDINGS = {
    _PHOTOS: re.compile(r"(.+)_leftImg8bit\.(?:png|jpe?g)", re.I),
    _MASKS: re.compile(r"(.+)_gtFine_labelIds\.png", re.I),
}


def find(names: Iterable[str]) -> Layout | None:
    """Finds `leftImg8bit/<split>/<city>/*_leftImg8bit.png` and beside it `gtFine/..._gtFine_labelIds.png`.

    What else stands in `gtFine` (colours, instances, polygons) is left alone.

    Args:
        names: every file of the source, "/"-separated.

    Returns:
        The one place that has such photos, with `unmatched` where masks are missing; None where there is none.

    Raises:
        DataError: there is more than one such place.
    """
    photos: dict[str, list[tuple[Key, str]]] = {}
    masks: dict[str, list[tuple[Key, str]]] = {}
    others: dict[str, list[str]] = {}
    for name in names:
        parts = _FILE.fullmatch(name)
        if parts is None:
            continue
        place, kind = parts["root"], parts["kind"]
        frame = _ENDINGS[kind].fullmatch(parts["file"])
        path = name.removeprefix(place)
        if frame is not None:
            (photos if kind == _PHOTOS else masks).setdefault(place, []).append(((parts["split"], frame[1]), path))
        elif kind == _PHOTOS:
            others.setdefault(place, []).append(path)
    root = only_root(photos, f"a folder {_PHOTOS} with {' and '.join(NEEDED)}")
    return None if root is None else match_files(NAME, root, photos[root], masks.get(root, []), others.get(root, []))
