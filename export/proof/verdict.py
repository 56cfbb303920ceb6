"""The gates applied to what was measured: one verdict for each class, and one for the file. Numpy only.

Every comparison is written so that a NaN fails it. What the frames were too few to show is said, and never as passed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from export.proof.gates import Change, Gates, changes
from export.proof.measure import Measured

State = Literal["passed", "failed", "not proven"]

CLEAR_LOSS = 10
"""Too few pixels prove no pass, but they prove a failure: a class that fell by this many times what it may ..."""
CLEAR_PIXELS = 20
"""... in this many pixels or more. Both, since in a class of 30 pixels three near ties are a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class ClassVerdict:
    """What is to be said of one class.

    Attributes:
        name: of the class.
        state: "passed", "failed" or "not proven".
        sentence: why, in words.
    """

    name: str
    state: State
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gates said.

    Attributes:
        failures: one sentence for each gate that said no, classes included; empty where the file passed.
        not_proven: one sentence for each thing that the frames were too few to show.
        classes: one a class, in label order.
        changed: gates that were not the default ones.
    """

    failures: tuple[str, ...]
    not_proven: tuple[str, ...]
    classes: tuple[ClassVerdict, ...]
    changed: tuple[Change, ...]

    @property
    def passed(self) -> bool:
        """Whether no gate said no; what is not proven has not failed."""
        return not self.failures


def judge(measured: Measured, classes: Sequence[str], gates: Gates, precision: str) -> Verdict:
    """Applies the gates.

    Args:
        measured: what `Comparison` gave, with `near_tie` of the same gates.
        classes: names, in label order.
        gates: to apply.
        precision: "fp32", "fp16" or "int8": whose defaults they are compared with.
    """
    verdicts = tuple(_class_verdict(measured, label, name, gates) for label, name in enumerate(classes))
    failures = [*_overall_failures(measured, gates), *(v.sentence for v in verdicts if v.state == "failed")]
    not_proven = [*_overall_doubts(measured, gates), *(v.sentence for v in verdicts if v.state == "not proven")]
    return Verdict(
        failures=tuple(failures),
        not_proven=tuple(not_proven),
        classes=verdicts,
        changed=changes(gates, precision),
    )


def _overall_failures(measured: Measured, gates: Gates) -> list[str]:
    failures = []
    agreement, confident = measured.everywhere.agreement, measured.confident.agreement
    if measured.frames < gates.least_frames:
        failures.append(f"proven on {measured.frames} frames, at least {gates.least_frames:g} are needed")
    if not agreement >= gates.agreement:
        failures.append(f"label agreement is {agreement:.4%}, at least {gates.agreement:.3%} is needed")
    if measured.confident.pixels and not confident >= gates.confident_agreement:
        flipped = measured.confident.pixels - measured.confident.equal
        failures.append(
            f"{flipped} of {measured.confident.pixels} confident pixels flipped, agreement {confident:.4%}, "
            f"at least {gates.confident_agreement:.3%} is needed"
        )
    if not measured.lost_pixels <= gates.lost_pixels:
        failures.append(
            f"{measured.lost_pixels} pixels have no answer (255) where the trained network has one, at most "
            f"{gates.lost_pixels:g} are allowed"
        )
    if measured.truth is not None and not measured.truth.drop.drop <= gates.mean_iou_drop:
        failures.append(f"mean IoU fell by {measured.truth.drop.drop:.4f}, at most {gates.mean_iou_drop} is allowed")
    return failures


def _overall_doubts(measured: Measured, gates: Gates) -> list[str]:
    doubts = []
    if not measured.confident.pixels:
        doubts.append(f"every pixel is a near tie (margin below {gates.near_tie:g}): no confident label was compared")
    if measured.reference_invalid_pixels:
        doubts.append(f"the trained network itself has no answer on {measured.reference_invalid_pixels} pixels")
    if measured.truth is None:
        doubts.append("no frame has a truth: classes were compared with the trained network's labels alone")
    else:
        drop, limit = measured.truth.drop, gates.mean_iou_drop
        if drop.drop <= limit and math.isnan(drop.high):
            doubts.append(f"mean IoU fell by {drop.drop:.4f} on a single frame, which says nothing of others")
        elif drop.drop <= limit and not drop.high <= limit:
            doubts.append(
                f"mean IoU fell by {drop.drop:.4f} on {measured.truth.frames} frames, but other frames might show "
                f"{drop.high:.4f}, over the {limit} allowed"
            )
    return doubts


def _class_verdict(measured: Measured, label: int, name: str, gates: Gates) -> ClassVerdict:
    side = measured.truth if measured.truth is not None else measured.likeness
    pixels, frames = int(side.class_pixels[label]), int(side.class_frames[label])
    if not pixels:
        return ClassVerdict(name=name, state="not proven", sentence=f"{name}: is on none of the {side.frames} frames")
    falls = _falls(measured, label, gates)
    enough = pixels >= gates.least_class_pixels and frames >= gates.least_class_frames
    changed = int(side.changed_pixels[label])
    for what, fall, limit in falls:
        clear = not fall <= min(CLEAR_LOSS * limit, max(limit, 0.5)) and changed >= CLEAR_PIXELS
        if clear or (enough and not fall <= limit):
            sentence = f"{name}: {what} by {fall:.4f}, at most {limit:.4g} is allowed"
            return ClassVerdict(name=name, state="failed", sentence=sentence)
    if not enough:
        needed = f"at least {gates.least_class_pixels:g} pixels and {gates.least_class_frames:g} frames"
        sentence = f"{name}: {pixels} pixels in {frames} frames are too few, {needed} are needed"
        return ClassVerdict(name=name, state="not proven", sentence=sentence)
    if measured.truth is not None and not side.reference.iou[label] > gates.class_iou_drop:
        sentence = f"{name}: the trained network has an IoU of {side.reference.iou[label]:.4f}, there is none to lose"
        return ClassVerdict(name=name, state="not proven", sentence=sentence)
    largest = max(falls, key=lambda item: item[1])
    return ClassVerdict(name=name, state="passed", sentence=f"{name}: {largest[0]} by {largest[1]:.4f}")


def _falls(measured: Measured, label: int, gates: Gates) -> list[tuple[str, float, float]]:
    """What was looked at for a class: the words for it, how far it fell, and how far it may."""
    if measured.truth is None:
        unlike = 1 - float(measured.likeness.candidate.iou[label])
        return [("IoU with the trained network's labels is short of 1", unlike, 1 - gates.class_likeness)]
    before, after = measured.truth.reference, measured.truth.candidate
    return [
        ("IoU fell", float(before.iou[label] - after.iou[label]), gates.class_iou_drop),
        ("recall fell", float(before.accuracy[label] - after.accuracy[label]), gates.class_recall_drop),
    ]
