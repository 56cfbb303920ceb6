"""RUN and DATA -> PACK.zip: the frames as a file will take them, answered by the trained network in fp32 PyTorch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.describe import describe
from export.graph.trace import OPSET
from export.proof.door import settings_like
from export.proof.frames import SPLIT, choose_frames
from export.proof.pack import PackFrame, save_pack
from export.proof.reference import Reference
from export.settings import ExportSettings
from runtime.errors import UsageError
from runtime.spec import ModelSpec
from trainer.data.dataset import Dataset, Frame
from trainer.data.progress import track
from trainer.evaluate import load_trained
from trainer.run_folder import RunFolder

LICENCE_NOTE = (
    "The frames and their truth are of the data set named here; its licence binds their use, and they may show faces "
    "and number plates: hand this pack on only where the data set itself may go."
)


@dataclass(frozen=True, kw_only=True)
class WrittenPack:
    """What `write_pack` leaves behind.

    Attributes:
        path: the zip.
        sha256: of it, 64 hex digits.
        size_bytes: of it.
        frames: in it.
        spec: the door that they were made for.
    """

    path: Path
    sha256: str
    size_bytes: int
    frames: int
    spec: ModelSpec


def write_pack(
    run: Path, data: Path | None, out: Path, *, frames: int = 200, like: ModelSpec | None = None
) -> WrittenPack:
    """Answers frames of the validation split with a run's best checkpoint and writes them down, whole or not at all.

    Args:
        run: the training folder.
        data: a data set with the run's classes; None takes the run's own.
        out: the zip.
        frames: spread evenly over the split.
        like: spec of a file whose camera and size of labels the frames are made for; None for uint8 RGB of the
            network's size.

    Raises:
        UsageError: `out` is a folder or the data set, or `frames` is below 1 or more than a pack holds.
        CheckpointError: the run has no usable checkpoint.
        DataError: the frames are not to be had, or have other classes.
        ModelFileError: `like` has other classes, another size or another normalisation than the run.
        StorageError: the disk is full, or the folder can't be written.
    """
    if out.is_dir():
        raise UsageError(f"--out {out}: is a folder, expected a file's name; give for example {out / 'PACK.zip'}")
    trained = load_trained(run / "best.safetensors")
    settings = ExportSettings()
    if like is not None:
        Reference(trained, like)  # refuses a file of another run's kind
        settings = replace(settings_like(like), confidence=False, batch=1)
    chosen = choose_frames(trained, data if data is not None else RunFolder(run).data_path("--data"), frames)
    if out.resolve() == chosen.dataset.path.resolve():
        raise UsageError(f"--out {out}: expected another file than the data set, got the data set; give another name")
    spec = replace(describe(trained, run.resolve().name, settings, opset=OPSET), licence_note=LICENCE_NOTE)
    size, sha256 = save_pack(out, spec, _about(run, chosen.dataset), _answered(Reference(trained, spec), chosen))
    return WrittenPack(path=out, sha256=sha256, size_bytes=size, frames=len(chosen), spec=spec)


def _answered(reference: Reference, frames: Sequence[Frame]) -> Iterator[PackFrame]:
    for frame in track(frames, "packing", len(frames)):
        answer = reference(frame)
        yield PackFrame(
            name=answer.name,
            image=answer.image,
            truth_hw=answer.truth_hw,
            reference_hw=answer.labels_hw,
            margin_hw=answer.margin_hw,
        )


def _about(run: Path, source: Dataset) -> dict[str, object]:
    best = RunFolder(run).best
    checkpoint = {"checkpoint": best.name, "checkpoint_sha256": hashlib.sha256(best.read_bytes()).hexdigest()}
    return {
        "run": {"name": run.resolve().name, **checkpoint},
        "data": {"name": source.path.name, "sha256": source.fingerprint(), "split": SPLIT},
        "licence_note": LICENCE_NOTE,
    }
