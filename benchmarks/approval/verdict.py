"""What two models' scores allow to be said: a class holds, is worse than allowed, or that is not proven. Plain values.

Approval asks for proof that nothing got worse, so there are three answers. A class *holds* where even the lower end of
the 95 % interval of its change is within the allowance; it is *worse* where the fall that was measured is over the
allowance and the interval leaves out that there was none; anything else is *not proven*, and so is a class with too
few pixels or frames, whatever its scores: an interval over a handful of frames is narrower than what is not known.
Every comparison is written so that a NaN proves nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.approval.differences import Difference, Differences
from export.proof.gates import TABLE
from runtime.errors import UsageError

State = Literal["holds", "worse", "not proven"]

MIN_PIXELS = int(TABLE["least_class_pixels"].fp32)  # the reasons stand there
MIN_FRAMES = int(TABLE["least_class_frames"].fp32)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the new model may lose, and how much of a class must be seen.

    Attributes:
        max_drop: most that IoU or recall of any class, or the mean IoU, may fall; 0 to 1.
        min_pixels: of a class in the truth, in all frames together, below which nothing is proven.
        min_frames: that show the class, likewise.

    Raises:
        UsageError: a value out of range.
    """

    max_drop: float = 0.01
    min_pixels: int = MIN_PIXELS
    min_frames: int = MIN_FRAMES

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop <= 1:
            raise UsageError(f"max_drop: expected a fall of 0 to 1, got {self.max_drop}; 0.01 is one point of IoU")
        if self.min_pixels < 1 or self.min_frames < 1:
            raise UsageError(
                f"min_pixels and min_frames: expected 1 or more, got {self.min_pixels} and {self.min_frames}; "
                "a class that is nowhere proves nothing"
            )


@dataclass(frozen=True, kw_only=True)
class ClassVerdict:
    """What is to be said of one class.

    Attributes:
        name: of the class.
        pixels: of it in the truth.
        frames: that show it.
        iou: "holds", "worse" or "not proven".
        recall: likewise.
        sentences: why it is not "holds"; none where it is.
    """

    name: str
    pixels: int
    frames: int
    iou: State
    recall: State
    sentences: tuple[str, ...]

    @property
    def state(self) -> State:
        """The worse of the two."""
        return _worst((self.iou, self.recall))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a comparison.

    Attributes:
        classes: one a class, in label order.
        mean_iou: "holds", "worse" or "not proven".
        failures: a sentence for each score that is worse than allowed; empty where none is.
        not_proven: a sentence for each class or score that the frames were too few to show.
    """

    classes: tuple[ClassVerdict, ...]
    mean_iou: State
    failures: tuple[str, ...]
    not_proven: tuple[str, ...]

    @property
    def line(self) -> str:
        """The verdict in one line; what is not proven is named."""
        worse = [each.name for each in self.classes if each.state == "worse"]
        open_ones = [each.name for each in self.classes if each.state == "not proven"]
        worse += ["the mean"] if self.mean_iou == "worse" else []
        open_ones += ["the mean"] if self.mean_iou == "not proven" else []
        if not (worse or open_ones):
            return "every class holds"
        said = f"worse than allowed: {', '.join(worse)}" if worse else "nothing is shown to be worse than allowed"
        return f"{said}; not proven: {', '.join(open_ones)}" if open_ones else said


def judge(
    scored: Differences, classes: Sequence[str], pixels: Sequence[int], frames: Sequence[int], allowance: Allowance
) -> Verdict:
    """Applies the allowance.

    Args:
        scored: both models' scores.
        classes: names, in label order.
        pixels: of each class in the truth.
        frames: that show each class.
        allowance: what is allowed.
    """
    verdicts = tuple(
        _class_verdict(*facts, allowance)
        for facts in zip(classes, pixels, frames, scored.iou, scored.recall, strict=True)
    )
    mean_state = _state(scored.mean_iou, allowance.max_drop)
    mean_sentences = _sentences("the mean", "IoU", scored.mean_iou, mean_state, allowance.max_drop)
    worse = [sentence for each in verdicts if each.state == "worse" for sentence in each.sentences]
    open_ones = [sentence for each in verdicts if each.state == "not proven" for sentence in each.sentences]
    (worse if mean_state == "worse" else open_ones).extend(mean_sentences)
    return Verdict(classes=verdicts, mean_iou=mean_state, failures=tuple(worse), not_proven=tuple(open_ones))


def _class_verdict(
    name: str, pixels: int, frames: int, iou: Difference, recall: Difference, allowance: Allowance
) -> ClassVerdict:
    if pixels < allowance.min_pixels or frames < allowance.min_frames:
        sentence = f"{name}: is on none of the frames"
        if pixels:
            sentence = (
                f"{name}: {pixels:,} pixels in {frames:,} frames are too few, {allowance.min_pixels:,} and "
                f"{allowance.min_frames:,} are needed (IoU changed by {iou.change:+.4f} on these, recall by "
                f"{recall.change:+.4f})"
            )
        return ClassVerdict(
            name=name, pixels=pixels, frames=frames, iou="not proven", recall="not proven", sentences=(sentence,)
        )
    states = _state(iou, allowance.max_drop), _state(recall, allowance.max_drop)
    worst = _worst(states)
    sentences = [
        sentence
        for what, score, state in zip(("IoU", "recall"), (iou, recall), states, strict=True)
        if state == worst
        for sentence in _sentences(name, what, score, state, allowance.max_drop)
    ]
    return ClassVerdict(
        name=name, pixels=pixels, frames=frames, iou=states[0], recall=states[1], sentences=tuple(sentences)
    )


def _state(score: Difference, max_drop: float) -> State:
    if -score.low <= max_drop:
        return "holds"
    if -score.change > max_drop and score.high < 0:
        return "worse"
    return "not proven"


def _worst(states: Sequence[State]) -> State:
    order: tuple[State, ...] = ("worse", "not proven", "holds")
    return min(states, key=order.index)


def _sentences(name: str, what: str, score: Difference, state: State, max_drop: float) -> list[str]:
    if state == "holds":
        return []
    moved = f"{name}: {what} {'fell' if score.change < 0 else 'rose'} by {abs(score.change):.4f}"
    if state == "worse":
        return [f"{moved} (95 %: {-score.high:.4f} to {-score.low:.4f}), at most {max_drop:g} is allowed"]
    if math.isnan(score.low):
        return [f"{name}: {what} changed by {score.change:+.4f} on frames too few to say how sure that is"]
    return [f"{moved} here, other frames might show a fall of {-score.low:.4f}, over the {max_drop:g} allowed"]
