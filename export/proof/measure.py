"""Label maps of a candidate against those of the reference and the truth, added up frame by frame.

Numpy only, so that the target computer measures in the same way as the export did. It knows no engine and judges
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.proof.pixels import boundary_band
from export.proof.resample import Interval, mean_iou_drop
from runtime.errors import DataError, UsageError
from runtime.metrics import Scores, confusion_matrix, scores
from runtime.spec import IGNORE_ID

Labels = NDArray[np.uint8]
Margins = NDArray[np.floating]

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Share:
    """Pixels of one kind, and on how many of them both label maps say the same."""

    equal: int = 0
    pixels: int = 0

    @property
    def agreement(self) -> float:
        """0 to 1; NaN where there is no such pixel."""
        return self.equal / self.pixels if self.pixels else float("nan")

    def plus(self, equal_hw: NDArray[np.bool_], chosen_hw: NDArray[np.bool_]) -> "Share":
        """With the chosen pixels of one more frame, bool [H,W] each."""
        return Share(
            equal=self.equal + int(np.count_nonzero(equal_hw & chosen_hw)),
            pixels=self.pixels + int(np.count_nonzero(chosen_hw)),
        )


@dataclass(frozen=True, kw_only=True)
class FrameAgreement:
    """How one frame came out: share of its pixels with equal labels, 0 to 1."""

    name: str
    agreement: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Against:
    """Reference and candidate against one truth: the data set's, or the reference's own labels.

    Attributes:
        frames: that had such a truth.
        reference: scores of the trained network.
        candidate: scores of the file.
        class_pixels: int64 [C]; pixels of each class in the truth.
        class_frames: int64 [C]; frames of the truth with at least one of them.
        changed_pixels: int64 [C]; pixels of each class in the truth where reference and candidate differ.
        drop: by how much the mean IoU fell, with its interval; over the classes that both have.
    """

    frames: int
    reference: Scores
    candidate: Scores
    class_pixels: Counts
    class_frames: Counts
    changed_pixels: Counts
    drop: Interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Everything that the label maps say; all pixels count here, those without a truth too.

    Attributes:
        frames: compared.
        near_tie: margin, in spreads (`pixels.margins`), below which a pixel is a near tie.
        everywhere: all pixels.
        confident: those whose margin (`pixels.margins`) in the reference is `near_tie` or more.
        near_ties: the others.
        boundary: those within 3 px of a class border in the reference's labels.
        elsewhere: the others.
        lost_pixels: 255 in the candidate where the reference has a class.
        reference_invalid_pixels: 255 in the reference.
        truth: both against the data set's truth; None where no frame had one.
        likeness: the candidate against the reference's labels.
        by_frame: each frame, in the order they came.
    """

    frames: int
    near_tie: float
    everywhere: Share
    confident: Share
    near_ties: Share
    boundary: Share
    elsewhere: Share
    lost_pixels: int
    reference_invalid_pixels: int
    truth: Against | None
    likeness: Against
    by_frame: tuple[FrameAgreement, ...]


@dataclass(kw_only=True)
class Comparison:
    """Adds up frames; `result` gives what came of those added so far.

    Attributes:
        class_count: C, 1 to 255.
        near_tie: see `Measured`; from `Gates.near_tie`.
    """

    class_count: int
    near_tie: float
    _shares: dict[str, Share] = field(default_factory=dict)
    _lost: int = 0
    _invalid: int = 0
    _by_frame: list[FrameAgreement] = field(default_factory=list)
    _truth: list[tuple[Counts, Counts, Counts]] = field(default_factory=list)
    _likeness: list[tuple[Counts, Counts, Counts]] = field(default_factory=list)

    def add(
        self, name: str, truth_hw: Labels | None, reference_hw: Labels, candidate_hw: Labels, margin_hw: Margins
    ) -> None:
        """Adds one frame.

        Args:
            name: of the frame.
            truth_hw: uint8 [H,W], 0 to C - 1 or 255 for ignored; None, or ignored everywhere, where nobody knows.
            reference_hw: uint8 [H,W], of the trained network; 0 to C - 1, or 255 where its logits were not finite.
            candidate_hw: uint8 [H,W], of the file.
            margin_hw: float [H,W], `pixels.margins` of the reference; NaN counts as a near tie.

        Raises:
            DataError: the shapes differ, or a label is no class.
        """
        for what, array in (("candidate", candidate_hw), ("margins", margin_hw), ("truth", truth_hw)):
            if array is not None and array.shape != reference_hw.shape:
                raise DataError(
                    f"{name}: expected the {what} to have the reference's shape {list(reference_hw.shape)}, got "
                    f"{list(array.shape)}; compare label maps of one size"
                )
        equal = reference_hw == candidate_hw
        confident, band = margin_hw >= self.near_tie, boundary_band(reference_hw)
        kinds = {
            "everywhere": np.ones_like(equal),
            "confident": confident,
            "near_ties": ~confident,
            "boundary": band,
            "elsewhere": ~band,
        }
        for kind, chosen in kinds.items():
            self._shares[kind] = self._shares.get(kind, Share()).plus(equal, chosen)
        self._lost += int(np.count_nonzero((candidate_hw == IGNORE_ID) & (reference_hw != IGNORE_ID)))
        self._invalid += int(np.count_nonzero(reference_hw == IGNORE_ID))
        self._by_frame.append(FrameAgreement(name=name, agreement=float(equal.mean())))
        self._likeness.append(self._counts(reference_hw, reference_hw, candidate_hw))
        if truth_hw is not None and np.any(truth_hw != IGNORE_ID):  # else nobody knows a pixel of it
            self._truth.append(self._counts(truth_hw, reference_hw, candidate_hw))

    def result(self) -> Measured:
        """What the frames so far came to.

        Raises:
            UsageError: no frame was added.
        """
        if not self._by_frame:
            raise UsageError("expected one frame or more to compare, got none; give frames")
        return Measured(
            frames=len(self._by_frame),
            near_tie=self.near_tie,
            lost_pixels=self._lost,
            reference_invalid_pixels=self._invalid,
            truth=_against(self._truth) if self._truth else None,
            likeness=_against(self._likeness),
            by_frame=tuple(self._by_frame),
            **self._shares,
        )

    def _counts(self, truth_hw: Labels, reference_hw: Labels, candidate_hw: Labels) -> tuple[Counts, Counts, Counts]:
        """Confusions int64 [C,C+1] of reference and candidate, and the changed pixels int64 [C] of each class."""
        return (
            confusion_matrix(truth_hw, reference_hw, self.class_count),
            confusion_matrix(truth_hw, candidate_hw, self.class_count),
            np.bincount(truth_hw[reference_hw != candidate_hw], minlength=self.class_count)[: self.class_count],
        )


def _against(counts: Sequence[tuple[Counts, Counts, Counts]]) -> Against:
    before, after, changed = (np.stack(arrays) for arrays in zip(*counts, strict=True))  # [F,C,C+1] twice, [F,C]
    in_truth = before.sum(axis=2)
    return Against(
        frames=len(counts),
        reference=scores(before.sum(axis=0)),
        candidate=scores(after.sum(axis=0)),
        class_pixels=in_truth.sum(axis=0),
        class_frames=np.count_nonzero(in_truth, axis=0),
        changed_pixels=changed.sum(axis=0),
        drop=mean_iou_drop(before, after),
    )
