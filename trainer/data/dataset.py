"""A labelled data set: frames by split and index, whatever the layout on disk. What training and evaluation open."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from trainer.data import pairs
from trainer.data.colours import Unsure, labels_from_colours
from trainer.data.exact_labels import Stray, exact_labels, require_no_stray
from trainer.data.images import decode_image
from trainer.data.label_space import LabelSpace
from trainer.data.masks import Mask, decode_colours, decode_ids
from trainer.data.recognise import find_layout, space_for
from trainer.data.source import Source, open_source


@dataclass(frozen=True, eq=False)
class Frame:
    """One labelled image.

    Attributes:
        name: the photo, relative to the folder that holds the splits, such as `train/1.jpg`.
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
        layout: how the frames lie in it: `pairs`, `cityscapes`, `camvid` or `folder`.
        label_space: what the labels mean.
        splits: the frames' names by split, each the photo's file; `train` and `val` are always there, perhaps empty.
        masks: the mask's file by frame name; empty where photo and mask are one picture.
        root: the folder within the source that holds the splits, "" or ending in "/"; names are relative to it.
        others: files in the splits' folders that are not pictures by their name.
        unmatched: by split, photos without a mask and masks without a photo, which are no frames.
        classes_file: the file that says what the masks' values mean, None where the layout itself does.
        source: where the bytes come from.
        unsure: what becomes of mask pixels that are near no colour, see `labels_from_colours`; for pairs only.
    """

    path: Path
    layout: str
    label_space: LabelSpace
    splits: Mapping[str, tuple[str, ...]]
    masks: Mapping[str, str]
    root: str
    others: tuple[str, ...]
    unmatched: Mapping[str, tuple[str, ...]]
    classes_file: str | None
    source: Source
    unsure: Unsure = "nearby"

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
        return self.decode(names[index], self.frame_bytes(names[index]))

    def frame_files(self, name: str) -> tuple[str, ...]:
        """The files of a frame, by a name out of `splits`: photo and mask, or the one picture that holds both."""
        return (name, self.masks[name]) if self.masks else (name,)

    def frame_bytes(self, name: str) -> tuple[bytes, ...]:
        """The bytes of each of a frame's files, by a name out of `splits`."""
        return tuple(self.source.read(self.root + file) for file in self.frame_files(name))

    def decode(self, name: str, data: tuple[bytes, ...]) -> Frame:
        """Makes the frame `name` out of the bytes that `frame_bytes` gave; they alone decide what it shows.

        Raises:
            DataError: the bytes are damaged, photo and mask differ in size, or a mask value means nothing.
        """
        image_hwc, mask = self.pictures(name, data)
        labels_hw, strays = self.labels(mask)
        require_no_stray(strays, self.where(self.frame_files(name)[-1]))
        return Frame(name, image_hwc, labels_hw)

    def pictures(self, name: str, data: tuple[bytes, ...]) -> tuple[npt.NDArray[np.uint8], Mask]:
        """The first half of `decode`: a frame's photo and its mask as it is stored.

        Returns:
            uint8 `[H,W,3]`, RGB; and ids `[H,W]`, uint8 or uint16, or colours `[H,W,3]`, uint8 RGB.

        Raises:
            DataError: the bytes are damaged, or photo and mask differ in size.
        """
        wheres = [self.where(file) for file in self.frame_files(name)]
        if self.layout == pairs.NAME:
            return pairs.split_pair(data[0], wheres[0])
        image_hwc = decode_image(data[0], wheres[0])
        mask = (decode_ids if self.label_space.ids else decode_colours)(data[1], wheres[1])
        if mask.shape[:2] != image_hwc.shape[:2]:
            (height, width), (mask_height, mask_width) = image_hwc.shape[:2], mask.shape[:2]
            turned = (mask_height, mask_width) == (width, height)
            advice = "turn it as the photo's EXIF orientation turns the photo" if turned else "make both the same size"
            raise DataError(
                f"{wheres[1]}: expected a mask of {width}x{height} as its photo {wheres[0]} is, "
                f"got {mask_width}x{mask_height}; {advice}"
            )
        return image_hwc, mask

    def labels(self, mask: Mask) -> tuple[npt.NDArray[np.uint8], tuple[Stray, ...]]:
        """The second half of `decode`: what a mask out of `pictures` means.

        Returns:
            uint8 labels `[H,W]`, 255 where ignored or stray; and the values that mean nothing.
        """
        if self.layout == pairs.NAME:
            return labels_from_colours(mask.astype(np.uint8, copy=False), self.label_space, self.unsure), ()
        return exact_labels(mask, self.label_space)

    def where(self, file: str) -> str:
        """The path, for messages, of a file named relative to `root`."""
        return self.source.where(self.root + file)

    @cached_property
    def file_hashes(self) -> Mapping[str, str]:
        """The `file_hash` of every frame's files, by name; they are read once, when this is first asked for."""
        files = {file for names in self.splits.values() for name in names for file in self.frame_files(name)}
        return {name: file_hash(self.source.read(self.root + name)) for name in sorted(files)}

    def fingerprint(self) -> str:
        """SHA-256 (hex) over names and bytes of every frame: the same for a folder and for a zip made of it.

        Masks are in it, and the file that says what they mean.
        """
        hashes = dict(self.file_hashes)
        if self.classes_file is not None:
            hashes[self.classes_file] = file_hash(self.source.read(self.root + self.classes_file))
        whole = hashlib.sha256()
        for name, hashed in sorted(hashes.items()):
            whole.update(f"{name}\0{hashed}\n".encode(errors="surrogateescape"))
        return whole.hexdigest()


def file_hash(data: bytes) -> str:
    """A file's size in bytes, a zero byte, and its SHA-256 in hex."""
    return f"{len(data)}\0{hashlib.sha256(data).hexdigest()}"


def open_dataset(path: str | os.PathLike[str], label_space: str | None = None, unsure: Unsure = "nearby") -> Dataset:
    """Opens a folder or zip and recognises its layout; no frame is decoded yet.

    Args:
        path: a folder or a `.zip`, which is read in place.
        label_space: `categories`, `cityscapes` or `names` for image pairs and the Cityscapes tree, `camvid` for CamVid,
            for a folder the name in its `classes.toml`; None takes the first that the layout can give.
        unsure: `nearby`, `nearest` or `ignore`: what becomes of mask pixels that are near no colour.

    Raises:
        DataError: the path can't be read, holds no layout that is known, more than one, or a wrong `classes.toml`.
        UsageError: the layout can't give that label space.
    """
    source = open_source(path)
    try:
        found = find_layout(source.names())
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    space, classes_file = space_for(found, source, label_space)
    return Dataset(
        path=Path(path),
        layout=found.name,
        label_space=space,
        splits=found.splits,
        masks=found.masks,
        root=found.root,
        others=found.others,
        unmatched=found.unmatched,
        classes_file=classes_file,
        source=source,
        unsure=unsure,
    )


def spread_evenly(total: int, count: int) -> list[int]:
    """At most `count` of the numbers 0 to total - 1, the first and the last among them, in order.

    Args:
        total: frames there are, at least 1.
        count: frames wanted, at least 1.
    """
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()
