"""The proof on the target computer: a file against a pack's answers, on the provider that really runs. No torch."""

from dataclasses import replace

from export.proof.candidate import Candidate, groups
from export.proof.door import require_same_door
from export.proof.gates import GATES, Gates
from export.proof.measure import Comparison
from export.proof.pack import Pack
from export.proof.parity import Parity
from export.proof.picture import ComparedFrame, WorstFrames
from export.proof.verdict import judge
from runtime.errors import UsageError
from runtime.model_file import ModelFile
from runtime.options import EngineOptions
from trainer.data.dataset import spread_evenly
from trainer.data.progress import track

NO_CONFIDENCE = "confidence: a pack holds none to compare the file's second output with"


def repeat_proof(
    file: ModelFile,
    pack: Pack,
    *,
    worst: WorstFrames,
    frames: int | None = None,
    gates: Gates | None = None,
    provider: str = "auto",
    options: EngineOptions | None = None,
) -> Parity:
    """Runs the file over a pack's frames and judges as the export did: labels, and each class.

    Args:
        file: that is to be proven.
        pack: made for its door, of the run that it was exported from.
        worst: keeps the frames that differ most, for a picture.
        frames: of the pack, spread evenly over it, 1 or more; None for all.
        gates: to apply; None for those of the file's precision.
        provider: that runs the file.
        options: of its engine; None for the usual ones.

    Raises:
        DataError: the pack was made for another door, or is damaged.
        DeviceError: the provider does not run the file.
        UsageError: fewer than one frame.
    """
    if frames is not None and frames < 1:
        raise UsageError(f"--frames must be 1 or more, got {frames}; leave it out for all of the pack")
    spec = file.spec
    require_same_door(spec, pack.spec, file.path, pack.path)
    gates = GATES[spec.precision] if gates is None else gates
    comparison = Comparison(class_count=len(spec.classes), near_tie=gates.near_tie)
    chosen = spread_evenly(len(pack), len(pack) if frames is None else frames)
    with Candidate(file.data, provider, options) as candidate:
        for group in groups(track(chosen, "parity", len(chosen)), spec.batch):
            expected = [pack.read(index) for index in group]
            for wanted, got in zip(expected, candidate.answer([frame.image for frame in expected]), strict=True):
                comparison.add(wanted.name, wanted.truth_hw, wanted.reference_hw, got.labels_hw, wanted.margin_hw)
                worst.offer(
                    ComparedFrame(
                        name=wanted.name,
                        image=wanted.image,
                        truth_hw=wanted.truth_hw,
                        reference_hw=wanted.reference_hw,
                        candidate_hw=got.labels_hw,
                    )
                )
        measured = comparison.result()
        verdict = judge(measured, spec.classes, gates, spec.precision)
        if spec.confidence is not None:
            verdict = replace(verdict, not_proven=(*verdict.not_proven, NO_CONFIDENCE))
        return Parity(
            precision=spec.precision, provider=candidate.provider, measured=measured, verdict=verdict, gates=gates
        )


def origin_notes(file: ModelFile, pack: Pack) -> tuple[str, ...]:
    """What file and pack say differently of the training that they come from: one sentence, or none.

    It refuses nothing, since a renamed folder is no fault; but where labels differ, it is the first thing to look at.
    """
    ours, theirs = file.spec.training, pack.spec.training
    keys = [key for key in ("run", "epoch", "data_sha256") if key in ours and ours[key] != theirs.get(key)]
    told = ", ".join(f"{key} {theirs.get(key)}, the file {ours[key]}" for key in keys)
    return (f"{pack.path.name} was made from another training than the file names: it has {told}",) if keys else ()
