"""Goes through a data set frame by frame: sizes, class shares, damaged files, values that mean nothing, copies."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, UsageError
from runtime.spec import IGNORE_ID
from trainer.data.dataset import Dataset
from trainer.data.inspection_report import ClassReport, DataReport, Problem, SplitReport
from trainer.data.layout import NEEDED
from trainer.data.likeness import nearest_copies, thumbnail
from trainer.data.progress import track


@dataclass(kw_only=True)
class _SplitTally:
    """Counts of one split that grow frame by frame."""

    tried: int = 0
    names: list[str] = field(default_factory=list)  # frames that were read
    thumbnails: list[npt.NDArray[np.uint8]] = field(default_factory=list)  # of each of `names`
    sizes: Counter[str] = field(default_factory=Counter)  # by WIDTHxHEIGHT
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # by label
    seen_in: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # frames by label


@dataclass(kw_only=True)
class _Tally:
    """Counts that grow frame by frame."""

    splits: dict[str, _SplitTally]
    first_with: dict[bytes, tuple[str, str]] = field(default_factory=dict)  # SHA-256 of a photo's file -> split, name
    leaked: set[str] = field(default_factory=set)  # frames that are exact copies of one in another split
    problems: list[Problem] = field(default_factory=list)

    def note(self, kind: str, file: str, text: str, *, serious: bool) -> None:
        self.problems.append(Problem(kind=kind, file=file, text=text, serious=serious))


def inspect_dataset(dataset: Dataset, limit: int | None = None) -> DataReport:
    """Reads a data set frame by frame and reports on it; a damaged frame is a problem in the report, not an error.

    Args:
        dataset: an opened one.
        limit: at most this many frames of each split are read, evenly spread; None reads all.

    Raises:
        UsageError: a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"expected a limit of at least 1 frame, got {limit}; leave it out to read all")
    tally = _Tally(splits={split: _SplitTally() for split in dataset.splits})
    _note_structure(dataset, tally)
    chosen = [(split, name) for split, names in dataset.splits.items() for name in _spread(names, limit)]
    for split, name in track(chosen, "reading frames"):
        _read_frame(dataset, split, name, tally)
    _note_copies(dataset, tally)
    return _report(dataset, tally)


def _note_structure(dataset: Dataset, tally: _Tally) -> None:
    for split in NEEDED:
        if not dataset.splits[split]:
            text = f"no frame in the split '{split}'; add a folder of that name with frames beside the other split"
            tally.note("empty split", "", text, serious=True)
    for split, names in dataset.unmatched.items():
        for name in names:
            text = f"{dataset.where(name)}: no partner of the same name, or more than one; add what is missing"
            tally.note("unmatched", name, text, serious=split in NEEDED)  # photos alone in `test` harm nobody
    for name in dataset.others:
        tally.note("not a picture", name, f"{dataset.where(name)}: neither .jpg nor .png, left out", serious=False)


def _spread(names: tuple[str, ...], limit: int | None) -> Iterator[str]:
    if limit is None or limit >= len(names):
        yield from names
    else:
        for at in range(limit):
            yield names[at * len(names) // limit]


def _read_frame(dataset: Dataset, split: str, name: str, tally: _Tally) -> None:
    here = tally.splits[split]
    here.tried += 1
    try:
        data = dataset.frame_bytes(name)
        image_hwc, mask = dataset.pictures(name, data)
    except DataError as error:
        tally.note("unreadable", name, str(error), serious=True)
        return
    labels_hw, strays = dataset.labels(mask)
    file = dataset.frame_files(name)[-1]
    for stray in strays:
        text = f"{dataset.where(file)}: {stray} belongs to no class; correct the mask or the table of classes"
        tally.problems.append(Problem(kind="label value", file=file, text=text, serious=True, stray=stray))
    height, width = labels_hw.shape
    counts = np.bincount(labels_hw.reshape(-1), minlength=256)
    if counts[IGNORE_ID] == labels_hw.size:
        text = f"{dataset.where(file)}: every pixel is ignored; nothing is learnt from it"
        tally.note("all ignored", name, text, serious=False)
    here.pixels += counts
    here.seen_in += counts > 0
    here.sizes[f"{width}x{height}"] += 1
    here.names.append(name)
    here.thumbnails.append(thumbnail(image_hwc))
    _note_same_bytes(dataset, split, name, data[0], tally)


def _note_same_bytes(dataset: Dataset, split: str, name: str, data: bytes, tally: _Tally) -> None:
    first_split, first = tally.first_with.setdefault(hashlib.sha256(data).digest(), (split, name))
    if first == name:
        return
    text = f"{dataset.where(name)}: the same bytes as {first}; keep one of them"
    if first_split == split:
        tally.note("duplicate", name, text, serious=False)
    else:
        tally.leaked.add(name)
        tally.note("leak", name, text, serious=True)


def _note_copies(dataset: Dataset, tally: _Tally) -> None:
    """Notes photos that are copies of one in a split before theirs, where equal bytes have not told already."""
    before: list[str] = []
    stacked = np.zeros((0, 0), np.uint8)
    for here in tally.splits.values():
        if not here.names:
            continue
        own = np.stack(here.thumbnails)
        for row, place in nearest_copies(own, stacked) if before else ():
            if here.names[row] not in tally.leaked:
                name = here.names[row]
                text = f"nearly the same photo as {before[place]}: encoded again, resized, or hardly changed"
                tally.note("leak", name, f"{dataset.where(name)}: {text}; keep one of them", serious=True)
        before += here.names
        stacked = np.concatenate([stacked, own]) if stacked.size else own


def _report(dataset: Dataset, tally: _Tally) -> DataReport:
    space = dataset.label_space
    pixels = np.sum([each.pixels for each in tally.splits.values()], axis=0)
    seen_in = np.sum([each.seen_in for each in tally.splits.values()], axis=0)
    total, ignored = int(pixels.sum()), int(pixels[IGNORE_ID])
    classes = tuple(
        ClassReport(
            name=name,
            members=space.members[label],
            pixels=int(pixels[label]),
            share=int(pixels[label]) / max(total - ignored, 1),
            frames=int(seen_in[label]),
            train_frames=int(tally.splits["train"].seen_in[label]),
        )
        for label, name in enumerate(space.classes)
    )
    splits = tuple(
        SplitReport(
            name=split,
            frames=len(dataset.splits[split]),
            tried=each.tried,
            read=len(each.names),
            sizes=dict(each.sizes),
        )
        for split, each in tally.splits.items()
    )
    return DataReport(
        path=str(dataset.path),
        layout=dataset.layout,
        label_space=space.name,
        splits=splits,
        classes=classes,
        ignored_share=ignored / max(total, 1),
        problems=tuple(tally.problems),
    )
