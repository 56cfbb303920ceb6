"""The proof: the trained network and the finished file over the same frames, and what the gates say of it."""

from collections.abc import Callable, Sequence

from export.proof.candidate import Answer, Candidate, groups
from export.proof.confidence import ConfidenceError
from export.proof.gates import GATES, Gates
from export.proof.measure import Comparison
from export.proof.parity import Parity
from export.proof.reference import Reference, ReferenceFrame
from export.proof.stages import StageErrors
from export.proof.verdict import judge
from trainer.data.dataset import Frame
from trainer.data.progress import track
from trainer.evaluate import TrainedNetwork

Watch = Callable[[Frame, ReferenceFrame, Answer], None]


def prove(
    trained: TrainedNetwork,
    data: bytes,
    frames: Sequence[Frame],
    *,
    gates: Gates | None = None,
    provider: str = "cpu",
    watch: Watch | None = None,
) -> Parity:
    """Runs both over the frames, and judges.

    Args:
        trained: the run that the file was exported from.
        data: of the finished file.
        frames: of a data set with the run's classes, at their own size, one or more.
        gates: to apply; None for those of the file's precision.
        provider: that runs the file, and its stages.
        watch: is handed each frame with both answers, for a picture of the worst.

    Raises:
        ModelFileError: not a sound file, or one of another run.
        DeviceError: the provider does not run it.
        UsageError: no frames.
    """
    with Candidate(data, provider) as candidate:
        spec = candidate.spec
        gates = GATES[spec.precision] if gates is None else gates
        reference = Reference(trained, spec)
        # the provider that was found, so that "auto" can't choose two
        stages = StageErrors(data, gates, candidate.provider)
        comparison = Comparison(class_count=len(spec.classes), near_tie=gates.near_tie)
        confidence = ConfidenceError() if spec.confidence is not None else None
        for group in groups(track(frames, "parity", len(frames)), spec.batch):
            expected = [reference(frame) for frame in group]
            images = [answer.image for answer in expected]
            stages.add(images, [answer.stages for answer in expected])
            for frame, wanted, got in zip(group, expected, candidate.answer(images), strict=True):
                comparison.add(frame.name, wanted.truth_hw, wanted.labels_hw, got.labels_hw, wanted.margin_hw)
                confidence = _with_confidence(confidence, wanted, got)
                if watch is not None:
                    watch(frame, wanted, got)
        measured = comparison.result()
        return Parity(
            precision=spec.precision,
            provider=candidate.provider,
            measured=measured,
            verdict=judge(measured, spec.classes, gates, spec.precision),
            gates=gates,
            stages=stages.result(),
            stages_provider=stages.provider,
            confidence=confidence,
        )


def _with_confidence(error: ConfidenceError | None, wanted: ReferenceFrame, got: Answer) -> ConfidenceError | None:
    if error is None or wanted.confidence_hw is None or got.confidence_hw is None:
        return error
    return error.plus(wanted.confidence_hw, got.confidence_hw, wanted.labels_hw, got.labels_hw)
