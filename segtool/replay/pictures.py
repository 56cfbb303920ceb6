"""Pictures as a recording: those of a folder or zip in natural order, and of a data set its photos alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from runtime.errors import DataError, UsageError
from segtool.prediction import Picture, list_pictures
from segtool.replay.recording import Recording, Shot
from trainer.data import pairs
from trainer.data.images import decode_image
from trainer.data.layout import Layout, is_picture, natural_order
from trainer.data.recognise import find_layout
from trainer.data.source import open_source


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder, a zip or a picture by its name, and not a video."""
    return path.is_dir() or path.suffix.lower() == ".zip" or is_picture(path.name)


def picture_recording(path: Path, split: str | None = None) -> Recording:
    """Finds the pictures and their order.

    Of a data set they are the photos and not the masks; of image pairs, the left half of each picture.

    Args:
        path: a picture, a folder, a zip.
        split: of a data set, only this split; None takes them all.

    Raises:
        DataError: nothing is there, no picture is in it, or not that split.
        UsageError: a split was asked for and this is no data set.
    """
    pictures = {picture.name: picture for picture in list_pictures(path)}
    layout = _layout(path, pictures) if len(pictures) > 1 else None
    if layout is None:
        if split is not None:
            raise UsageError(f"{path}: --split {split} was given, which is for a data set; leave it out")
        names, told = tuple(sorted(pictures, key=natural_order)), path.name
    else:
        names = tuple(layout.root + name for name in _photos(path, layout, split))
        told = f"{path.name}, {split or 'all splits'} (the photos of a data set of the layout {layout.name!r})"
    in_order = tuple(pictures[name] for name in names)
    halved = layout is not None and layout.name == pairs.NAME
    return Recording(
        told=told,
        shots=lambda: _shots(in_order, halved=halved),
        inputs=tuple(picture.path for picture in in_order if picture.path is not None),
        pictures=in_order,
    )


def _layout(path: Path, names: Iterable[str]) -> Layout | None:
    try:
        layout = find_layout(open_source(path).names())
    except DataError:  # pictures that are no data set, which is the usual thing for a recording
        return None
    photos = {layout.root + photo for files in layout.splits.values() for photo in files}
    return layout if photos <= {*names} else None


def _photos(path: Path, layout: Layout, split: str | None) -> tuple[str, ...]:
    if split is None:
        return tuple(name for names in layout.splits.values() for name in names)
    if not layout.splits.get(split):
        raise DataError(
            f"{path}: expected one of the splits {', '.join(layout.splits)}, got --split {split}; choose one of these"
        )
    return layout.splits[split]


def _shots(pictures: tuple[Picture, ...], *, halved: bool) -> Iterator[Shot]:
    for picture in pictures:
        try:
            data = picture.read()
            image_hwc = pairs.split_pair(data, picture.where)[0] if halved else decode_image(data, picture.where)
        except DataError as error:
            yield Shot(name=picture.name, error=error)
        else:
            yield Shot(name=picture.name, image_hwc=image_hwc)
