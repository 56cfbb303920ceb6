"""Parity: all that a proof found, as one value: passed or failed and why, for the spec and as JSON. No torch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from export.proof.confidence import ConfidenceError
from export.proof.gates import TABLE, Gates
from export.proof.measure import Against, Measured, Share
from export.proof.stage_error import StageError
from export.proof.verdict import Verdict
from runtime.metrics import Scores
from trainer.json_file import number

SCHEMA_VERSION = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Parity:
    """What was measured and what the gates said.

    Attributes:
        precision: of the file.
        provider: that ran it.
        measured: what the label maps say.
        verdict: what the gates said of that.
        gates: that were applied.
        stages: errors along the data's path; none where the trained network was not at hand.
        stages_provider: that ran them; None without stages.
        confidence: error of the second output; None where the file or the reference has none.
    """

    precision: str
    provider: str
    measured: Measured
    verdict: Verdict
    gates: Gates
    stages: tuple[StageError, ...] = ()
    stages_provider: str | None = None
    confidence: ConfidenceError | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence for each gate that said no; empty where the file passed."""
        stages = tuple(stage.failure for stage in self.stages if stage.failure is not None)
        confidence = self.confidence.failures(self.gates) if self.confidence is not None else ()
        return self.verdict.failures + stages + confidence

    @property
    def passed(self) -> bool:
        """Whether no gate said no."""
        return not self.failures

    @property
    def proven(self) -> bool:
        """Whether it passed, and for one class at least on enough frames for that to mean something."""
        return self.passed and any(verdict.state == "passed" for verdict in self.verdict.classes)

    @property
    def not_proven(self) -> tuple[str, ...]:
        """One sentence for each thing that the frames were too few to show."""
        return self.verdict.not_proven

    def summary(self) -> dict[str, object]:
        """The few numbers that travel in the spec; what is not finite is None."""
        measured, logits = self.measured, next((stage for stage in self.stages if stage.name == "logits"), None)
        unproven = [verdict.name for verdict in self.verdict.classes if verdict.state == "not proven"]
        return {
            "passed": self.passed,
            "proven": self.proven,
            "frames": measured.frames,
            "provider": self.provider,
            "agreement": number(measured.everywhere.agreement),
            "confident_agreement": number(measured.confident.agreement),
            "boundary_agreement": number(measured.boundary.agreement),
            "lost_pixels": measured.lost_pixels,
            **_summary_of_truth(measured.truth, [verdict.name for verdict in self.verdict.classes]),
            "logits_provider": self.stages_provider,
            "logit_error_max": number(logits.largest) if logits is not None else None,
            "logit_error_mean": number(logits.mean) if logits is not None else None,
            "classes_not_proven": unproven,
            "gates_changed": [asdict(change) for change in self.verdict.changed],
        }

    def report(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        measured = self.measured
        kinds = ("everywhere", "confident", "near_ties", "boundary", "elsewhere")
        truth = measured.truth
        return {
            "schema_version": SCHEMA_VERSION,
            "precision": self.precision,
            **self.summary(),
            "failures": list(self.failures),
            "not_proven": list(self.not_proven),
            "gates": _gates(self.gates),
            "pixels": {kind: _share(getattr(measured, kind)) for kind in kinds},
            "near_tie_margin": measured.near_tie,
            "reference_invalid_pixels": measured.reference_invalid_pixels,
            "stages": [
                {**asdict(stage), "largest": number(stage.largest), "mean": number(stage.mean), "within": stage.within}
                for stage in self.stages
            ],
            "confidence": None if self.confidence is None else _confidence(self.confidence),
            "pixel_accuracy_reference": number(truth.reference.pixel_accuracy) if truth is not None else None,
            "pixel_accuracy_file": number(truth.candidate.pixel_accuracy) if truth is not None else None,
            "classes": [self._class(label) for label in range(len(self.verdict.classes))],
            "by_frame": [asdict(frame) for frame in measured.by_frame],
        }

    def _class(self, label: int) -> dict[str, object]:
        """One class before and after, and its verdict."""
        verdict, truth, likeness = self.verdict.classes[label], self.measured.truth, self.measured.likeness
        side = truth if truth is not None else likeness
        return {
            "name": verdict.name,
            "verdict": verdict.state,
            "why": verdict.sentence,
            "pixels": int(side.class_pixels[label]),
            "frames": int(side.class_frames[label]),
            **_before_after("iou", truth, lambda scores: float(scores.iou[label])),
            **_before_after("recall", truth, lambda scores: float(scores.accuracy[label])),
            "iou_with_reference": number(float(likeness.candidate.iou[label])),
            "changed_pixels": int(side.changed_pixels[label]),
        }


def _summary_of_truth(truth: Against | None, classes: list[str]) -> dict[str, object]:
    if truth is None:
        return {"mean_iou_reference": None, "mean_iou_file": None, "mean_iou_drop": None, "worst_class": None}
    falls = (truth.reference.iou - truth.candidate.iou).tolist()
    known = [(fall, name) for fall, name, pixels in zip(falls, classes, truth.class_pixels, strict=True) if pixels]
    worst = max(known, default=None)
    drop = truth.drop
    return {
        "mean_iou_reference": number(truth.reference.mean_iou),
        "mean_iou_file": number(truth.candidate.mean_iou),
        "mean_iou_drop": {
            "drop": number(drop.drop),
            "low": number(drop.low),
            "high": number(drop.high),
            "frames": truth.frames,
        },
        "worst_class": None if worst is None else {"name": worst[1], "iou_drop": number(worst[0])},
    }


def _gates(gates: Gates) -> dict[str, dict[str, object]]:
    return {name: {"value": value, "why": TABLE[name].why} for name, value in asdict(gates).items()}


def _share(share: Share) -> dict[str, object]:
    return {**asdict(share), "agreement": number(share.agreement)}


def _confidence(error: ConfidenceError) -> dict[str, object]:
    return {**asdict(error), "mean": number(error.mean)}


def _before_after(name: str, truth: Against | None, score: Callable[[Scores], float]) -> dict[str, object]:
    """A score of both against the truth, and the difference; None each where there is no truth."""
    if truth is None:
        return {f"{name}_reference": None, f"{name}_file": None, f"{name}_delta": None}
    before, after = score(truth.reference), score(truth.candidate)
    return {
        f"{name}_reference": number(before),
        f"{name}_file": number(after),
        f"{name}_delta": number(after - before),
    }
