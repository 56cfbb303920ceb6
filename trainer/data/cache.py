"""A data set whose frames are decoded once: read from then on out of a cache that any number of runs share."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import PIL
from PIL import features

from runtime.errors import UsageError
from trainer.data import colours
from trainer.data.dataset import Dataset, Frame, file_hash
from trainer.data.frame_store import FrameStore

DEFAULT_CAP_BYTES = 4 * 2**30
DECODER = (PIL.__version__, features.version("libjpeg_turbo"))  # another one may round otherwise
VERSION = 1  # of decoding; a change of what any frame's bytes are decoded to makes the cache stale


@dataclass(frozen=True, kw_only=True, eq=False)
class CachedDataset:
    """The frames of a data set, decoded once. Cheap to send to another process, and usable after a fork.

    Attributes:
        dataset: where frames come from that are not kept yet.
        store: where they are kept.
        meaning: what decides, beside a frame's bytes, how it is decoded; SHA-256, hex.
    """

    dataset: Dataset
    store: FrameStore
    meaning: str

    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The frames' names by split."""
        return self.dataset.splits

    def read(self, split: str, index: int) -> Frame:
        """One frame at its own size, equal to what the data set itself reads.

        Args:
            split: `train`, `val`, or another one of `splits`.
            index: 0..len(splits[split])-1.

        Raises:
            DataError: no such frame, or its file is damaged or of another shape.
        """
        names = self.dataset.frames(split)
        if not 0 <= index < len(names):
            return self.dataset.read(split, index)  # which says what is wrong
        hashes = self.dataset.file_hashes
        key = self._key(tuple(hashes[file] for file in self.dataset.frame_files(names[index])))
        kept = self.store.get(key)
        if kept is not None:
            return Frame(names[index], *kept)
        data = self.dataset.frame_bytes(names[index])
        frame = self.dataset.decode(names[index], data)
        if self._key(tuple(file_hash(each) for each in data)) == key:  # else changed since it was hashed
            self.store.put(key, frame.image_hwc, frame.labels_hw)
        return frame

    def _key(self, hashes: tuple[str, ...]) -> str:
        return hashlib.sha256("\n".join((self.meaning, *hashes)).encode()).hexdigest()


def cached(dataset: Dataset, folder: Path | None = None, cap_bytes: int = DEFAULT_CAP_BYTES) -> CachedDataset:
    """Puts a cache before a data set; its files' hashes are taken now, so that every process starts with them.

    Args:
        dataset: whose frames are to be kept.
        folder: of the cache, shared by all data sets and runs; None for `default_folder()`. Deleting it, or any file
            in it, at any time is safe.
        cap_bytes: size of the whole cache, from 0; see `FrameStore`.

    Raises:
        DataError: a file of the data set can't be read.
        UsageError: a cap below 0, or no default place for the folder.
    """
    space, way = dataset.label_space, (VERSION, colours.VERSION, *DECODER, dataset.layout, dataset.unsure)
    meaning = hashlib.sha256(repr((way, space)).encode(errors="surrogateescape")).hexdigest()
    store = FrameStore(default_folder() if folder is None else folder, cap_bytes)
    result = CachedDataset(dataset=dataset, store=store, meaning=meaning)
    _ = dataset.file_hashes
    return result


def default_folder() -> Path:
    """`segtool/frames` in the user's cache folder (XDG Base Directory Specification: `XDG_CACHE_HOME` or `~/.cache`).

    Raises:
        UsageError: the user has no home folder.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():  # the specification wants others ignored
        return named / "segtool" / "frames"
    try:
        return Path.home() / ".cache" / "segtool" / "frames"
    except RuntimeError as error:
        raise UsageError(
            "frame cache: expected a home folder to keep it in, got none; set XDG_CACHE_HOME or name a folder"
        ) from error
