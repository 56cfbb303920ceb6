"""The frames that a proof is made on: spread over a split, read when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from runtime.errors import UsageError
from trainer.data.dataset import Dataset, Frame, open_dataset, spread_evenly
from trainer.evaluate import TrainedNetwork, require_classes

SPLIT = "val"


@dataclass(frozen=True, eq=False)
class ChosenFrames(Sequence[Frame]):
    """Some frames of a data set, at their own size. Each is decoded anew when it is asked for, and none is kept.

    Attributes:
        dataset: whose frames.
        indices: which of the split.
        split: "val", "train" or whatever the data set has.
    """

    dataset: Dataset
    indices: tuple[int, ...]
    split: str = SPLIT

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, place: int) -> Frame: ...
    @overload
    def __getitem__(self, place: slice) -> "ChosenFrames": ...
    def __getitem__(self, place: int | slice) -> "Frame | ChosenFrames":
        if isinstance(place, slice):
            return ChosenFrames(self.dataset, self.indices[place], self.split)
        return self.dataset.read(self.split, self.indices[place])

    def __iter__(self) -> Iterator[Frame]:
        # not by Sequence's own way, which takes an IndexError out of the decoding for the end
        return (self.dataset.read(self.split, index) for index in self.indices)


def choose_frames(trained: TrainedNetwork, data: Path, count: int, split: str = SPLIT) -> ChosenFrames:
    """At most `count` frames, spread evenly over a split.

    Args:
        trained: whose classes the data must have.
        data: a data set.
        count: 1 or more.
        split: of the data set.

    Raises:
        UsageError: `count` is below 1.
        DataError: no data set, other classes, or no frames in that split.
    """
    if count < 1:
        raise UsageError(f"--frames must be 1 or more, got {count}; the default is 200")
    source = open_dataset(data, trained.label_space)
    require_classes(source, trained)
    return ChosenFrames(source, tuple(spread_evenly(len(source.frames(split)), count)), split)
