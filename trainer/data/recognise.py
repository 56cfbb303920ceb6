"""Which layout a data set has, and what its labels can mean."""

from collections.abc import Callable, Iterable

from runtime.errors import DataError, UsageError
from trainer.data import camvid, cityscapes_tree, folder, pairs
from trainer.data.classes_file import FILE, read_classes
from trainer.data.label_space import LabelSpace, label_space
from trainer.data.layout import Layout
from trainer.data.source import Source

_FINDERS: tuple[Callable[[Iterable[str]], Layout | None], ...] = (cityscapes_tree.find, camvid.find, folder.find)
_OF_CITYSCAPES = ("categories", "cityscapes", "names")
_SPACES = {pairs.NAME: _OF_CITYSCAPES, cityscapes_tree.NAME: _OF_CITYSCAPES, camvid.NAME: ("camvid",)}


def find_layout(names: tuple[str, ...]) -> Layout:
    """Finds the one layout that a source's files have.

    Image pairs come last: photos of another layout would pass for them by their names.

    Args:
        names: every file of the source, "/"-separated; at least one.

    Raises:
        DataError: no layout, more than one, or one where no photo has a mask.
    """
    found = [layout for find in _FINDERS if (layout := find(names)) is not None]
    left = [name for name in names if not any(_belongs_to(name, layout) for layout in found)]
    claimed = {file for layout in found for file in layout.files()}
    paired = pairs.find(name for name in left if name not in claimed)
    found += [paired] if paired is not None else []
    if not found:
        raise DataError(
            "expected image pairs in folders 'train' and 'val', or photos and masks as Cityscapes, CamVid or a folder "
            f"with {FILE} have them, got {len(names)} files such as {names[0]}; name the folder or .zip that holds "
            "train and val"
        )
    if len(found) > 1:
        shown = ", ".join(f"{layout.name} in {layout.root or './'}" for layout in found)
        raise DataError(
            f"expected one data set, got {len(found)}: {shown}; name the folder of one of them, or part them"
        )
    if not any(found[0].splits.values()):
        alone = [file for files in found[0].unmatched.values() for file in files]
        raise DataError(
            f"expected photos that have a mask of the same name, got none among {len(alone)} pictures "
            f"such as {found[0].root}{alone[0]}; add the masks, or check their names"
        )
    return found[0]


def space_for(layout: Layout, source: Source, name: str | None) -> tuple[LabelSpace, str | None]:
    """The label space of that name, or the layout's first, and the file it was read from if any.

    Raises:
        UsageError: the layout can't give that label space.
        DataError: the layout's `classes.toml` is missing or wrong.
    """
    if layout.name == folder.NAME:
        space, file = read_classes(_classes_file(layout, source), source.where(layout.root + FILE)), FILE
        offered: tuple[str, ...] = (space.name,)
    else:
        offered, file = _SPACES[layout.name], None
        space = label_space(offered[0] if name not in offered else name)
    if name is not None and name not in offered:
        raise UsageError(
            f"{source.path}: expected a label space that the layout {layout.name!r} can give "
            f"({', '.join(offered)}), got {name!r}; choose one of these, or data with such labels"
        )
    return space, file


def _belongs_to(name: str, layout: Layout) -> bool:
    """Whether a file lies deep in a layout's folder, as depth maps or polygons beside the masks may."""
    return name.startswith(layout.root) and name.removeprefix(layout.root).count("/") > 1


def _classes_file(layout: Layout, source: Source) -> bytes:
    name = layout.root + FILE
    if name not in source.names():
        raise DataError(
            f"{source.where(name)}: expected a file that says what the values in the masks mean, got none; "
            "write one with a table [[classes]] of name and ids (or colours) for each class"
        )
    return source.read(name)
