"""What an inspection of a data set has to say, as records that JSON can hold. How it is found is `inspection`'s."""

import dataclasses
from dataclasses import dataclass

from runtime.errors import DataError
from trainer.data.exact_labels import Stray
from trainer.data.layout import NEEDED


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
    """One class.

    Attributes:
        name: of the class.
        members: the data set's own names that make it up.
        pixels: of all frames that were read.
        share: of the pixels that are not ignored, 0..1.
        frames: in how many it is seen.
        train_frames: in how many of `train` it is seen; what a network never saw, it can't learn.
    """

    name: str
    members: tuple[str, ...]
    pixels: int
    share: float
    frames: int
    train_frames: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong.

    Attributes:
        kind: `empty split`, `unmatched` (a photo without a mask, or the other way round), `unreadable`, `label value`
            (one that means nothing), `leak` (the same photo in two splits), `duplicate` (twice in one split),
            `all ignored` (no pixel has a class) or `not a picture`.
        file: the file, relative to the folder that holds the splits; "" where it is about none.
        text: one sentence.
        serious: whether training or its score would go wrong by it.
        stray: of a `label value`: value, place and count.
    """

    kind: str
    file: str
    text: str
    serious: bool
    stray: Stray | None = None


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

    def never_in_train(self) -> tuple[str, ...]:
        """The classes that no frame of `train` among those read shows."""
        return tuple(each.name for each in self.classes if not each.train_frames)

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return {**dataclasses.asdict(self), "never_in_train": self.never_in_train()}

    def require_usable(self) -> None:
        """Raises DataError where training would go wrong, or its score would."""
        serious = [problem for problem in self.problems if problem.serious]
        if serious:
            raise DataError(
                f"{self.path}: expected sound frames in {' and '.join(NEEDED)} and none in both, got {len(serious)} "
                f"serious problem{'s' if len(serious) > 1 else ''}, the first: {serious[0].text}"
            )
