"""What a file must reach: one table, a reason for each gate. Plain values only; `verdict.py` applies them.

A gate is moved only by `with_overrides`, and whoever reads the verdict is told.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from runtime.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What must be reached; shares and IoUs are fractions of 1. The reasons stand in `TABLE`.

    Attributes:
        agreement: least share of all pixels with the reference's label.
        confident_agreement: least share of the pixels that are no near ties.
        near_tie: margin below which a pixel is a near tie, in spreads of the logits (`pixels.margins`).
        logit_error: most that any logit may be off, in spreads; not finite is always too much.
        confidence_error: most that the confidence may be off in the mean, in levels of 0 to 255.
        lost_pixels: most pixels without an answer (255) where the reference has one.
        mean_iou_drop: most that the mean IoU against the truth may fall.
        class_iou_drop: most that the IoU of a class may fall.
        class_recall_drop: most that the recall of a class may fall.
        class_likeness: least IoU of a class between candidate and reference; judged where there is no truth.
        least_frames: below which nothing is proven.
        least_class_frames: that must show a class, or it is not proven.
        least_class_pixels: likewise, in all frames together.
    """

    agreement: float
    confident_agreement: float
    near_tie: float
    logit_error: float
    confidence_error: float
    lost_pixels: float
    mean_iou_drop: float
    class_iou_drop: float
    class_recall_drop: float
    class_likeness: float
    least_frames: float
    least_class_frames: float
    least_class_pixels: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One gate: its value for each precision, and why it stands there."""

    fp32: float
    fp16: float
    int8: float
    why: str


TABLE: Mapping[str, Row] = {
    "agreement": Row(
        fp32=0.9999,
        fp16=0.998,
        int8=0.95,
        why="fp32 differs in the order of sums: one near tie in ten thousand may flip; fp16 has 11 bits of mantissa; "
        "int8 moves borders, which the gates of IoU judge: this one is for gross faults",
    ),
    "confident_agreement": Row(
        fp32=1.0,
        fp16=0.99999,
        int8=0.999,
        why="beyond what the arithmetic explains (near_tie) no label has a reason to flip",
    ),
    "near_tie": Row(
        fp32=0.001,
        fp16=0.1,
        int8=0.5,
        why="over the margin of nearly all labels that clean exports flipped: none in fp32, in fp16 up to 0.075, in "
        "int8 99.5 % of them below 0.5 (two networks, 60 frames)",
    ),
    "logit_error": Row(
        fp32=0.001,
        fp16=0.5,
        int8=3,
        why="clean exports had at most 0.00002 in fp32, 0.12 in fp16, 1.3 in int8; what that does to labels is judged "
        "by the other gates, this one catches what no label shows yet",
    ),
    "confidence_error": Row(
        fp32=0.01,
        fp16=1,
        int8=8,
        why="fp32 may round to the neighbouring level in one pixel of a hundred; 8 levels are 3 % of probability",
    ),
    "lost_pixels": Row(
        fp32=0, fp16=0, int8=0, why="no precision is a reason for no answer at all; fp16 that overflows shows here"
    ),
    "mean_iou_drop": Row(
        fp32=0.002,
        fp16=0.002,
        int8=0.01,
        why="less than two trainings of the same settings differ; int8 buys speed with it",
    ),
    "class_iou_drop": Row(
        fp32=0.01, fp16=0.01, int8=0.03, why="a mean hides a class: one of 19 may vanish for a twentieth of the mean"
    ),
    "class_recall_drop": Row(
        fp32=0.01,
        fp16=0.01,
        int8=0.03,
        why="a missed person is worse than a wrong one, and an IoU can hold while misses replace false alarms",
    ),
    "class_likeness": Row(
        fp32=0.995,
        fp16=0.97,
        int8=0.8,
        why="without a truth, flips that would cancel out all count against the file, so this is no drop of IoU",
    ),
    "least_frames": Row(
        fp32=1, fp16=1, int8=100, why="fp32 and fp16 err by rounding, on any frame alike; int8 by content"
    ),
    "least_class_frames": Row(
        fp32=10,
        fp16=10,
        int8=10,
        why="pixels of one object stand or fall together; ten frames are ten chances to differ",
    ),
    "least_class_pixels": Row(
        fp32=1000, fp16=1000, int8=1000, why="one pixel then moves the IoU by a tenth of the strictest gate at most"
    ),
}

GATES: Mapping[str, Gates] = {
    precision: Gates(**{name: getattr(row, precision) for name, row in TABLE.items()})
    for precision in ("fp32", "fp16", "int8")
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A gate that was moved by hand."""

    name: str
    default: float
    used: float


def with_overrides(precision: str, overrides: Mapping[str, float]) -> Gates:
    """The gates of a precision, some of them moved.

    Raises:
        UsageError: a name that is no gate, or a value that is not a finite number of 0 or more.
    """
    names = [field.name for field in fields(Gates)]
    for name, value in overrides.items():
        if name not in names:
            raise UsageError(f"expected a gate, one of {', '.join(names)}, got {name!r}; change the name")
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"expected gate {name} to be a finite number of 0 or more, got {value}; change it")
    return replace(GATES[precision], **overrides)


def changes(gates: Gates, precision: str) -> tuple[Change, ...]:
    """Which gates are not those of the table."""
    default = GATES[precision]
    moved = [field.name for field in fields(Gates) if getattr(gates, field.name) != getattr(default, field.name)]
    return tuple(Change(name=name, default=getattr(default, name), used=getattr(gates, name)) for name in moved)
