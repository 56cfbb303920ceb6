"""RUN -> proven ONNX file under its final name, with its report and picture; or as FILE.rejected."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from export.build import Sources, build
from export.graph.camera import plan_camera
from export.precision import CALIBRATION_FRAMES
from export.proof.frames import ChosenFrames, choose_frames
from export.proof.gates import with_overrides
from export.proof.parity import Parity
from export.publish import REJECTED, publish
from export.settings import CameraRequest, ExportSettings, Int8Target, LabelsAt, LabelsFrom, Precision
from runtime.camera import CameraSpec
from runtime.errors import DataError, GateError, StorageError, UsageError
from trainer.evaluate import TrainedNetwork, load_trained
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What export leaves behind.

    Attributes:
        model: the published file.
        report: the parity report beside it.
        picture: the frames that differ most, beside it.
        parity: what was measured.
        details: the report's content.
        notes: sentences that whoever exports must read.
        size_bytes: of the file.
    """

    model: Path
    report: Path
    picture: Path
    parity: Parity
    details: Mapping[str, object] = field(repr=False)
    notes: tuple[str, ...]
    size_bytes: int


def export_onnx(
    run: Path,
    *,
    precision: Precision = "fp32",
    int8_target: Int8Target = "cpu",
    camera: CameraRequest | None = None,
    labels_at: LabelsAt = "network",
    labels_from: LabelsFrom = "labels",
    confidence: bool = False,
    batch: int = 1,
    out: Path | None = None,
    parity_data: Path | None = None,
    calibration: Path | None = None,
    golden: Path | None = None,
    frames: int = 200,
    gates: Mapping[str, float] | None = None,
    provider: str = "auto",
) -> ExportResult:
    """Exports a run's best checkpoint and proves the file on real frames before it gets its final name.

    Args:
        run: the training folder.
        precision: of the network's weights and arithmetic; bytes stand at both ends whatever it is.
        int8_target: the engine that int8 is made for.
        camera: how frames are delivered; None for uint8 RGB of the network's size.
        labels_at: size of the label map.
        labels_from: what is enlarged for labels at the camera's size.
        confidence: a second output, with a temperature fitted to the frames of the proof.
        batch: frames that go through the file in one run.
        out: final name; RUN/model.onnx, RUN/model.fp16.onnx, RUN/model.nv12-1920x1208.fp16.onnx and so on by default.
        parity_data: a data set to prove it on, in place of the run's own validation frames.
        calibration: a data set whose training frames int8 and fp16 are fitted to, in place of the run's own.
        golden: a data set to take the self-test's frames from; None for synthetic scenes.
        frames: compared, spread evenly over the validation split.
        gates: values of gates to move, by name; the file says so.
        provider: that runs the file during the proof.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        DataError: the frames are not to be had.
        ModelFileError: the file does not keep the contract, for example a weight that is not finite.
        UsageError: an argument that can't be, such as a camera of another aspect than the network's.
        StorageError: the file can't be written.
        GateError: a gate said no; the file keeps the name FILE.rejected and an older FILE stays as it was.
    """
    path = out if out is not None else run / default_name(precision, camera)
    _require_writable(path)
    if confidence and frames < 2:
        raise UsageError(f"--confidence needs --frames of 2 or more, half of them to fit to, got {frames}")
    if calibration is not None and precision == "fp32":
        raise UsageError(f"--calibration {calibration}: expected fp16 or int8 to fit to it, got fp32; leave it out")
    applied = with_overrides(precision, gates or {})
    trained = load_trained(run / "best.safetensors")
    settings = ExportSettings(
        precision=precision,
        int8_target=int8_target,
        camera=None if camera is None else _planned(camera, trained.config),
        labels_at=labels_at,
        labels_from=labels_from,
        confidence=confidence,
        batch=batch,
    )
    own = RunFolder(run)
    sources = Sources(
        proof=choose_frames(trained, parity_data or own.data_path(), frames),
        training=None if precision == "fp32" else _training(trained, calibration or own.data_path("--calibration")),
        golden=golden,
    )
    if len(sources.proof) < applied.least_frames:
        raise DataError(
            f"{sources.proof.dataset.path}: {precision} must be proven on {applied.least_frames:g} validation frames "
            f"or more, got {len(sources.proof)}; give more by --parity-data and --frames, or move --gate least_frames=N"
        )
    built = build(trained, run.resolve().name, settings, sources, gates=applied, provider=provider)
    if built.refusals:
        rejected = publish(path.with_name(path.name + REJECTED), built)
        raise GateError(
            f"{path}: refused ({'; '.join(built.refusals)}); the file is kept as {rejected.model.name} with its "
            "report and picture, look there, an older good file is untouched"
        )
    published = publish(path, built)
    return ExportResult(
        model=path,
        report=published.report,
        picture=published.picture,
        parity=built.parity,
        details=built.report,
        notes=built.notes,
        size_bytes=len(built.data),
    )


def default_name(precision: Precision, camera: CameraRequest | None) -> str:
    """The file's name where none is given; one for a camera never replaces the plain one."""
    kind = {"fp32": "", "fp16": ".fp16", "int8": ".int8"}[precision]
    if camera is None:
        return f"model{kind}.onnx"
    size = "" if None in (camera.width_px, camera.height_px) else f"-{camera.width_px}x{camera.height_px}"
    return f"model.{camera.layout}{size}{kind}.onnx"


def _require_writable(path: Path) -> None:
    """Refuses a name under which nothing can be written, or something else may lie, before minutes of work.

    Raises:
        UsageError: a folder, or a name that does not end in .onnx: weights and data sets have other names.
        StorageError: its folder can't be made or written.
    """
    if path.is_dir():
        raise UsageError(f"--out {path}: is a folder, expected a file's name; give for example {path / 'model.onnx'}")
    if path.suffix != ".onnx":
        raise UsageError(f"--out {path}: expected a name that ends in .onnx, got {path.name!r}; nothing was written")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: its folder could not be made ({error.strerror}); give another --out") from error
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path}: its folder can't be written; check its permissions, or give another --out")


def _training(trained: TrainedNetwork, data: Path) -> ChosenFrames:
    try:
        return choose_frames(trained, data, CALIBRATION_FRAMES, "train")
    except DataError as error:
        raise DataError(f"{error}; fp16 and int8 are fitted to it, --calibration names another one") from error


def _planned(camera: CameraRequest, config: TrainConfig) -> CameraSpec:
    return plan_camera(
        network_height_px=config.height_px,
        network_width_px=config.width_px,
        width_px=camera.width_px if camera.width_px is not None else config.width_px,
        height_px=camera.height_px if camera.height_px is not None else config.height_px,
        layout=camera.layout,
        crop=camera.crop,
        stretch=camera.stretch,
        yuv_matrix=camera.yuv_matrix,
        yuv_range=camera.yuv_range,
        resize=camera.resize,
    )
