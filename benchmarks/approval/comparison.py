"""Two models over a split, each labelling every frame once, and again through sensor noise for a few. No torch itself.

Each is scored at the size of its own label map, to which the truth comes by a vote (`resize_labels`). What looks at
both at once (changed pixels, flicker, pictures) happens at the smaller of the two sizes, height and width each for
itself, to which truth and labels come by the same vote.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.ahead import ahead
from benchmarks.approval.changed import ChangedPixels
from benchmarks.approval.differences import Differences, class_counts, differences
from benchmarks.approval.flicker import Flicker, VideoFlicker
from benchmarks.approval.noise import REPEATS, chosen_frames, flips_between, with_sensor_noise
from benchmarks.approval.sides import Side, require_its_data, require_one_meaning
from benchmarks.approval.verdict import Allowance, Verdict, judge
from export.proof.candidate import groups
from runtime.errors import DataError
from runtime.metrics import Counts, confusion_matrix
from trainer.data.dataset import Dataset, Frame
from trainer.data.images import resize_labels
from trainer.data.progress import track

TOGETHER = 8  # frames in memory at a time, or what both files' batches divide
NOT_INDEPENDENT = (
    "frames of a video resemble their neighbours, and the intervals count each as one of its own: they are too narrow"
)

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledFrame:
    """A frame and what both models say of it, all label maps at the compared size.

    Attributes:
        index: of the frame in its split.
        name: of the frame.
        image_hwc: uint8 RGB [H,W,3], at its own size.
        truth_hw: uint8 [h,w], 255 = ignored.
        old_hw: uint8 [h,w], 255 = no valid answer.
        new_hw: likewise.
    """

    index: int
    name: str
    image_hwc: UInt8
    truth_hw: UInt8
    old_hw: UInt8
    new_hw: UInt8


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What two models said of a split.

    Attributes:
        names: of the frames.
        classes: names, in label order.
        compared_px: height and width at which both were looked at together.
        old_counts: int64 [F, 3, C], `class_counts` of each frame, of the old model.
        new_counts: of the new model.
        scored: IoU and recall of both, with intervals.
        changed: the pixels that changed.
        video: flicker between frames; without pairs where the split is no video.
        noise: flicker under sensor noise.
        noise_frames: how many frames that was measured on.
        notes: sentences that a reader must know.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    compared_px: tuple[int, int]
    old_counts: Counts
    new_counts: Counts
    scored: Differences
    changed: ChangedPixels
    video: VideoFlicker
    noise: Flicker
    noise_frames: int
    notes: tuple[str, ...]

    @property
    def class_pixels(self) -> list[int]:
        """Pixels of each class in the truth, at the smaller label map."""
        return np.minimum(self._truth(self.old_counts).sum(0), self._truth(self.new_counts).sum(0)).tolist()

    @property
    def class_frames(self) -> list[int]:
        """How many frames show each class."""
        shown = (self._truth(self.old_counts) > 0) & (self._truth(self.new_counts) > 0)
        return np.count_nonzero(shown, axis=0).tolist()

    def judged(self, allowance: Allowance) -> Verdict:
        """What may be said of each class."""
        return judge(self.scored, self.classes, self.class_pixels, self.class_frames, allowance)

    @staticmethod
    def _truth(counts: Counts) -> Counts:
        return counts[:, 1]


def compare(old: Side, new: Side, dataset: Dataset, split: str = "val", seed: int = 0) -> Comparison:
    """Labels every frame of a split by both models and measures what is different.

    Args:
        old: the model that is approved already.
        new: the one that is to take its place.
        dataset: opened with their label space.
        split: which part of it.
        seed: of the intervals, of the frames that get noise, and of the noise.

    Raises:
        SpecError: the labels of the two, or of the data, do not mean the same.
        DataError: the split is absent or empty, a frame is not readable, or no pixel has a truth.
    """
    require_one_meaning(old, new)
    require_its_data(old, dataset)
    count = len(dataset.frames(split))
    changed, video = ChangedPixels(), VideoFlicker()
    counts: tuple[list[Counts], list[Counts]] = ([], [])
    names = []
    frames = track(ahead(_read(dataset, split, range(count)), TOGETHER), "comparing", count)
    for frame, labels in _labelled(old, new, frames):
        names.append(frame.name)
        for kept, side, labels_hw in zip(counts, (old, new), labels, strict=True):
            truth_hw = resize_labels(frame.labels_hw, *side.labels_px)
            kept.append(class_counts(confusion_matrix(truth_hw, labels_hw, len(side.classes))))
        seen = _together(len(names) - 1, frame, labels, compared_px(old, new))
        changed.add(seen.truth_hw, seen.old_hw, seen.new_hw)
        video.add(seen.image_hwc, seen.truth_hw, seen.old_hw, seen.new_hw)
    if not changed.pixels:
        raise DataError(
            f"{dataset.path}: expected labelled pixels in split {split}, found none; try segtool data inspect"
        )
    old_counts, new_counts = np.stack(counts[0]), np.stack(counts[1])
    chosen = chosen_frames(count, seed)
    return Comparison(
        names=tuple(names),
        classes=old.classes,
        compared_px=compared_px(old, new),
        old_counts=old_counts,
        new_counts=new_counts,
        scored=differences(old_counts, new_counts, seed),
        changed=changed,
        video=video,
        noise=_noise_flicker(old, new, dataset, split, chosen, seed),
        noise_frames=len(chosen),
        notes=(*dict.fromkeys((*old.notes, *new.notes)), *((NOT_INDEPENDENT,) if video.pairs else ())),
    )


def compared_px(old: Side, new: Side) -> tuple[int, int]:
    """Height and width at which both are looked at together: the smaller of each."""
    return min(old.labels_px[0], new.labels_px[0]), min(old.labels_px[1], new.labels_px[1])


def label_again(old: Side, new: Side, dataset: Dataset, split: str, indices: list[int]) -> list[LabelledFrame]:
    """Labels a few frames once more, to be looked at; in the order of `indices`."""
    labelled = _labelled(old, new, _read(dataset, split, indices))
    return [
        _together(index, frame, labels, compared_px(old, new))
        for index, (frame, labels) in zip(indices, labelled, strict=True)
    ]


def _read(dataset: Dataset, split: str, indices: "range | list[int]") -> Iterator[Frame]:
    return (dataset.read(split, index) for index in indices)


def _labelled(old: Side, new: Side, frames: Iterator[Frame]) -> Iterator[tuple[Frame, tuple[UInt8, UInt8]]]:
    """Each frame with the labels of both, at their own sizes."""
    batch = math.lcm(old.batch, new.batch)
    for group in groups(frames, batch * max(1, TOGETHER // batch)):
        images = [frame.image_hwc for frame in group]
        yield from zip(group, zip(old.label(images), new.label(images), strict=True), strict=True)


def _together(index: int, frame: Frame, labels: tuple[UInt8, UInt8], size_px: tuple[int, int]) -> LabelledFrame:
    old_hw, new_hw = (resize_labels(labels_hw, *size_px) for labels_hw in labels)
    return LabelledFrame(
        index=index,
        name=frame.name,
        image_hwc=frame.image_hwc,
        truth_hw=resize_labels(frame.labels_hw, *size_px),
        old_hw=old_hw,
        new_hw=new_hw,
    )


def _noise_flicker(old: Side, new: Side, dataset: Dataset, split: str, chosen: list[int], seed: int) -> Flicker:
    """Flicker over `REPEATS` noisy exposures of each chosen frame, the same ones for both."""
    flicker = Flicker()
    for index, frame in zip(chosen, track(_read(dataset, split, chosen), "adding noise", len(chosen)), strict=True):
        random = np.random.default_rng((seed, index))
        exposures = [with_sensor_noise(frame.image_hwc, random) for _ in range(REPEATS)]
        size_px = compared_px(old, new)
        looks = [[resize_labels(each, *size_px) for each in side.label(exposures)] for side in (old, new)]
        flicker = flicker.plus(flips_between(*looks))
    return flicker
