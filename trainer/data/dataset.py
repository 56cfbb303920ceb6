"""A labelled data set: frames by split and index, whatever the layout on disk. What training and evaluation open."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from trainer.data.label_space import LabelSpace, labels_from_colours
from trainer.data.label_space import label_space as label_space_named
from trainer.data.pairs import LAYOUT, SUFFIXES, find_pairs, split_pair
from trainer.data.source import Source, open_source


@dataclass(frozen=True, eq=False)
class Frame:
    """One labelled image.

    Attributes:
        name: the file, relative to the folder that holds the splits, such as `train/1.jpg`.
        image_hwc: uint8 `[H,W,3]`, 0..255, RGB.
        labels_hw: uint8 `[H,W]`, class ids, 255 where ignored; pixel for pixel with the image.
    """

    name: str
    image_hwc: npt.NDArray[np.uint8]
    labels_hw: npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A data set that was recognised. Cheap to send to another process, and usable after a fork.

    Attributes:
        path: the folder or zip, as it was given.
        layout: how the frames lie in it; `pairs`.
        label_space: what the labels mean.
        splits: the frames' names by split; `train` and `val` are always there, perhaps empty.
        root: the folder within the source that holds the splits, "" or ending in "/".
        others: files in the splits' folders that are not pictures by their name, relative to the source.
        source: where the bytes come from.
    """

    path: Path
    layout: str
    label_space: LabelSpace
    splits: Mapping[str, tuple[str, ...]]
    root: str
    others: tuple[str, ...]
    source: Source

    def frames(self, split: str) -> tuple[str, ...]:
        """The names of a split's frames, at least one.

        Raises:
            DataError: the data set has no frame in that split.
        """
        names = self.splits.get(split, ())
        if not names:
            counts = ", ".join(f"{each} {len(files)}" for each, files in self.splits.items())
            raise DataError(
                f"{self.path}: expected frames in a folder '{split}', got none (frames by split: {counts}); "
                "add them or name another data set"
            )
        return names

    def read(self, split: str, index: int) -> Frame:
        """Reads and decodes one frame at its own size.

        Args:
            split: `train`, `val`, or another one of `splits`.
            index: 0..len(splits[split])-1.

        Raises:
            DataError: no such frame, or its file is damaged or of another shape.
        """
        names = self.frames(split)
        if not 0 <= index < len(names):
            raise DataError(f"{self.path}: expected a frame of '{split}' from 0 to {len(names) - 1}, got {index}")
        return self.decode(names[index], self.read_bytes(names[index]))

    def read_bytes(self, name: str) -> bytes:
        """The bytes of a frame's file, by a name out of `splits`."""
        return self.source.read(self.root + name)

    def decode(self, name: str, data: bytes) -> Frame:
        """Makes the frame `name` out of its file's bytes.

        Raises:
            DataError: the bytes are damaged, or a picture of another shape.
        """
        image_hwc, mask_hwc = split_pair(data, self.source.where(self.root + name))
        return Frame(name, image_hwc, labels_from_colours(mask_hwc, self.label_space))

    def fingerprint(self) -> str:
        """SHA-256 (hex) over names and bytes of every frame: the same for a folder and for a zip made of it."""
        whole = hashlib.sha256()
        for name in sorted(name for names in self.splits.values() for name in names):
            data = self.read_bytes(name)
            whole.update(f"{name}\0{len(data)}\0{hashlib.sha256(data).hexdigest()}\n".encode(errors="surrogateescape"))
        return whole.hexdigest()


def open_dataset(path: str | os.PathLike[str], label_space: str = "categories") -> Dataset:
    """Opens a folder or zip and recognises its layout; no frame is decoded yet.

    Args:
        path: a folder or a `.zip`, which is read in place.
        label_space: `categories`, `cityscapes` or `names`.

    Raises:
        DataError: the path can't be read, or holds no layout that is known.
        UsageError: no label space has that name.
    """
    space = label_space_named(label_space)
    source = open_source(path)
    try:
        found = find_pairs(source.names())
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if found is None:
        names = source.names()
        raise DataError(
            f"{path}: expected image pairs ({', '.join(SUFFIXES)}) in folders 'train' and 'val', "
            f"got {len(names)} files such as {names[0]}; name the folder or .zip that holds train and val"
        )
    return Dataset(
        path=Path(path),
        layout=LAYOUT,
        label_space=space,
        splits=found.splits,
        root=found.root,
        others=found.others,
        source=source,
    )


def spread_evenly(total: int, count: int) -> list[int]:
    """At most `count` of the numbers 0 to total - 1, the first and the last among them, in order.

    Args:
        total: frames there are, at least 1.
        count: frames wanted, at least 1.
    """
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()
