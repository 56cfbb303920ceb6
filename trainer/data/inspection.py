"""What is in a data set and what is wrong with it: splits, sizes, class shares, damaged files, frames seen twice."""

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, UsageError
from runtime.spec import IGNORE_ID
from trainer.data.dataset import Dataset, open_dataset
from trainer.data.progress import track

_NEEDED = ("train", "val")


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """One split.

    Attributes:
        name: such as `train`.
        frames: how many it has.
        tried: how many of them were to be read; fewer where a limit was asked for.
        read: how many of those could be.
        sizes: frames that were read, by photo size WIDTHxHEIGHT.
    """

    name: str
    frames: int
    tried: int
    read: int
    sizes: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """One class. `share` is of the pixels that are not ignored, 0..1; `frames` is in how many frames it is seen."""

    name: str
    members: tuple[str, ...]
    pixels: int
    share: float
    frames: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong.

    Attributes:
        kind: `unreadable`, `empty split`, `leak` (the same bytes in two splits), `duplicate` (twice in one split) or
            `not a picture`.
        file: the file, relative to the folder that holds the splits; "" where it is about none.
        text: one sentence.
    """

    kind: str
    file: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What an inspection found.

    Attributes:
        path: the folder or zip.
        layout: how the frames lie in it.
        label_space: what the classes are of.
        splits: one report a split.
        classes: one report a class, in label order.
        ignored_share: of all pixels that were read, 0..1.
        problems: in the order they were found.
    """

    path: str
    layout: str
    label_space: str
    splits: tuple[SplitReport, ...]
    classes: tuple[ClassReport, ...]
    ignored_share: float
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return dataclasses.asdict(self)

    def require_usable(self) -> None:
        """Raises DataError where a file can't be read, or `train` or `val` has no frame."""
        serious = [problem for problem in self.problems if problem.kind in ("unreadable", "empty split")]
        if serious:
            raise DataError(
                f"{self.path}: expected readable frames in {' and '.join(_NEEDED)}, got {len(serious)} that can't be "
                f"used, the first of them: {serious[0].text}"
            )


@dataclass(kw_only=True)
class _Tally:
    """Counts that grow frame by frame."""

    pixels: npt.NDArray[np.int64]  # [256], by label
    seen_in: npt.NDArray[np.int64]  # [256], frames by label
    tried: Counter[str] = field(default_factory=Counter)  # frames by split
    read: Counter[str] = field(default_factory=Counter)  # frames by split
    sizes: dict[str, Counter[str]] = field(default_factory=dict)  # by split, by WIDTHxHEIGHT
    first_with: dict[bytes, tuple[str, str]] = field(default_factory=dict)  # SHA-256 of a file -> split, name
    problems: list[Problem] = field(default_factory=list)


def inspect_dataset(
    path: str | os.PathLike[str], label_space: str = "categories", limit: int | None = None
) -> DataReport:
    """Reads a data set frame by frame and reports on it.

    Args:
        path: a folder or `.zip`.
        label_space: what to count classes of.
        limit: at most this many frames of each split are read, evenly spread; None reads all.

    Raises:
        DataError: the path can't be read or its layout is not known. A damaged frame is a problem in the report.
        UsageError: no such label space, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"expected a limit of at least 1 frame, got {limit}; leave it out to read all")
    dataset = open_dataset(path, label_space)
    tally = _Tally(pixels=np.zeros(256, np.int64), seen_in=np.zeros(256, np.int64))
    _note_structure(dataset, tally)
    chosen = [(split, name) for split, names in dataset.splits.items() for name in _spread(names, limit)]
    for split, name in track(chosen, "reading frames"):
        _read_frame(dataset, split, name, tally)
    return _report(dataset, tally)


def _note_structure(dataset: Dataset, tally: _Tally) -> None:
    for split in _NEEDED:
        if not dataset.splits[split]:
            text = f"no picture in a folder '{split}' beside the other split; add frames to it"
            tally.problems.append(Problem(kind="empty split", file="", text=text))
    for name in dataset.others:
        text = f"{dataset.source.where(name)}: neither .jpg nor .png, left out"
        tally.problems.append(Problem(kind="not a picture", file=name, text=text))


def _spread(names: tuple[str, ...], limit: int | None) -> Iterator[str]:
    if limit is None or limit >= len(names):
        yield from names
    else:
        for at in range(limit):
            yield names[at * len(names) // limit]


def _read_frame(dataset: Dataset, split: str, name: str, tally: _Tally) -> None:
    tally.tried[split] += 1
    try:
        data = dataset.read_bytes(name)
        frame = dataset.decode(name, data)
    except DataError as error:
        tally.problems.append(Problem(kind="unreadable", file=name, text=str(error)))
        return
    height, width = frame.labels_hw.shape
    counts = np.bincount(frame.labels_hw.reshape(-1), minlength=256)
    tally.pixels += counts
    tally.seen_in += counts > 0
    tally.read[split] += 1
    tally.sizes.setdefault(split, Counter())[f"{width}x{height}"] += 1
    first_split, first = tally.first_with.setdefault(hashlib.sha256(data).digest(), (split, name))
    if first != name:
        kind = "duplicate" if first_split == split else "leak"
        text = f"{dataset.source.where(dataset.root + name)}: the same bytes as {first}; keep one of them"
        tally.problems.append(Problem(kind=kind, file=name, text=text))


def _report(dataset: Dataset, tally: _Tally) -> DataReport:
    space = dataset.label_space
    total = int(tally.pixels.sum())
    ignored = int(tally.pixels[IGNORE_ID])
    classes = tuple(
        ClassReport(
            name=name,
            members=space.members[label],
            pixels=int(tally.pixels[label]),
            share=int(tally.pixels[label]) / max(total - ignored, 1),
            frames=int(tally.seen_in[label]),
        )
        for label, name in enumerate(space.classes)
    )
    splits = tuple(
        SplitReport(
            name=split,
            frames=len(names),
            tried=tally.tried[split],
            read=tally.read[split],
            sizes=dict(tally.sizes.get(split, Counter())),
        )
        for split, names in dataset.splits.items()
    )
    return DataReport(
        path=str(Path(dataset.path)),
        layout=dataset.layout,
        label_space=space.name,
        splits=splits,
        classes=classes,
        ignored_share=ignored / max(total, 1),
        problems=tuple(tally.problems),
    )
