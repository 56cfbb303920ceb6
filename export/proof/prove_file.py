"""A finished file against the run that it was exported from, on a computer that has torch."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx

from export.graph.deploy import Deploy
from export.graph.trace import trace
from export.proof.bisect import Difference, locate
from export.proof.candidate import Answer
from export.proof.door import settings_like
from export.proof.frames import choose_frames
from export.proof.gates import Gates
from export.proof.parity import Parity
from export.proof.picture import ComparedFrame, WorstFrames
from export.proof.prove import Watch, prove
from export.proof.reference import ReferenceFrame
from runtime.model_file import ModelFile
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork, load_trained
from trainer.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True, eq=False)
class FileProof:
    """What was found.

    Attributes:
        parity: the proof.
        difference: the first stage or layer that differs; None where it was not asked for.
        against: JSON object for the record: run, data and their hashes.
    """

    parity: Parity
    difference: Difference | None
    against: dict[str, object]


def watching(worst: WorstFrames) -> Watch:
    """Has a proof offer each of its frames to the picture of the worst."""

    def watch(frame: Frame, wanted: ReferenceFrame, got: Answer) -> None:
        worst.offer(
            ComparedFrame(
                name=frame.name,
                image=wanted.image,
                truth_hw=wanted.truth_hw,
                reference_hw=wanted.labels_hw,
                candidate_hw=got.labels_hw,
            )
        )

    return watch


def prove_file(
    file: ModelFile,
    run: Path,
    data: Path | None,
    *,
    frames: int,
    worst: WorstFrames,
    gates: Gates | None = None,
    provider: str = "auto",
    bisect: bool = False,
) -> FileProof:
    """Repeats the proof of an export against the run's best checkpoint.

    Args:
        file: that is to be proven.
        run: the training folder.
        data: a data set with the run's classes; None takes the run's own.
        frames: spread evenly over the validation split, 1 or more.
        worst: keeps the frames that differ most, for a picture.
        gates: to apply; None for those of the file's precision.
        provider: that runs the file.
        bisect: look for the first stage or layer that differs, in the frames that differ most.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        DataError: the frames are not to be had, or have other classes.
        ModelFileError: the file is of another run's kind.
        DeviceError: the provider does not run the file.
        UsageError: fewer than one frame.
    """
    trained = load_trained(run / "best.safetensors")
    chosen = choose_frames(trained, data if data is not None else RunFolder(run).data_path("--data"), frames)
    parity = prove(trained, file.data, chosen, gates=gates, provider=provider, watch=watching(worst))
    best = RunFolder(run).best
    return FileProof(
        parity=parity,
        difference=_locate(file, trained, parity, worst) if bisect else None,
        against={
            "run": run.resolve().name,
            "checkpoint_sha256": hashlib.sha256(best.read_bytes()).hexdigest(),
            "data": chosen.dataset.path.name,
            "data_sha256": chosen.dataset.fingerprint(),
        },
    )


def _locate(file: ModelFile, trained: TrainedNetwork, parity: Parity, worst: WorstFrames) -> Difference:
    """Holds the file against a fresh fp32 graph of the run behind the same door."""
    spec = file.spec
    sound = trace(
        Deploy(trained.network, settings_like(spec), spec.height_px, spec.width_px, mean=spec.mean, std=spec.std)
    )
    return locate(
        parity.stages,
        onnx.load_from_string(file.data),
        sound,
        [frame.image for frame in worst.frames()],
        spec.precision,
        labels_agree=parity.verdict.passed,
        confidence_agrees=parity.confidence is None or not parity.confidence.failures(parity.gates),
    )
