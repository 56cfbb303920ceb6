"""RUN -> proven ONNX file: trace, spec, seal, parity, publish. Whole or not at all."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch

from export.deploy import Deploy
from export.graph import OPSET, finish, trace, with_logits
from export.parity import GATES, Parity, compare
from runtime.errors import DataError, GateError, ModelFileError, UsageError
from runtime.files import write_whole
from runtime.model_file import check_model_bytes
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec
from trainer.data.augment import fit
from trainer.data.dataset import Frame, open_dataset, spread_evenly
from trainer.data.progress import track
from trainer.evaluate import TrainedNetwork, load_trained, require_classes
from trainer.json_file import write_json
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.run_folder import RunFolder

LICENCE_NOTE = "The weights were learnt from the data set named under training; its licence may bind their use."


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What export leaves behind.

    Attributes:
        model: the published file.
        report: the parity report beside it.
        parity: what was measured.
        size_bytes: of the file.
    """

    model: Path
    report: Path
    parity: Parity
    size_bytes: int


def export_run(
    run: Path,
    *,
    half: bool = False,
    out: Path | None = None,
    parity_data: Path | None = None,
    frames: int = 200,
    provider: str = "auto",
) -> ExportResult:
    """Exports a run's best checkpoint and proves the file on real frames before it gets its final name.

    Args:
        run: the training folder.
        half: weights and arithmetic in float16; the types at the door stay uint8.
        out: final name; RUN/model.onnx or RUN/model.fp16.onnx by default.
        parity_data: a data set to prove it on, in place of the run's own validation frames.
        frames: compared, spread evenly over the validation split.
        provider: that runs the file during the proof.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        DataError: the frames are not to be had.
        ModelFileError: the file does not keep the contract, for example a weight that is not finite in float16.
        UsageError: `out` is a folder, or `frames` is below 1.
        GateError: parity failed; the file keeps the name FILE.rejected and an older FILE stays as it was.
    """
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: is a folder, expected a file's name; give for example {out / 'model.onnx'}")
    trained = load_trained(run / "best.safetensors")
    config = trained.config
    proof_frames = _parity_frames(run, trained, parity_data, frames)
    precision = "fp16" if half else "fp32"
    deploy = Deploy(trained.network, half=half, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    graph = trace(deploy, config.height_px, config.width_px)
    spec = _spec(trained, run.resolve().name, precision)
    path = out if out is not None else run / ("model.fp16.onnx" if half else "model.onnx")
    with tempfile.TemporaryDirectory(prefix="segtool-export-") as folder:
        with _open(finish(graph, spec), Path(folder) / "candidate.onnx", provider) as segmenter:
            network, normalise = trained.network, Normalise()
            parity = compare(network, normalise, segmenter, with_logits(graph), proof_frames, GATES[precision])
            labels = segmenter.segment(proof_frames[0].image_hwc).labels
        data = finish(graph, replace(spec, parity=parity.summary()))
        with _open(data, Path(folder) / "final.onnx", provider) as segmenter:
            if not np.array_equal(segmenter.segment(proof_frames[0].image_hwc).labels, labels):
                raise ModelFileError(
                    f"{path}: answers differently after its parity result was written into it; export again, and if "
                    "it happens twice this machine computes wrongly"
                )
    if not parity.passed:
        rejected = path.with_name(path.name + ".rejected")
        _publish(data, parity, rejected, trained.classes)
        raise GateError(
            f"{path}: parity failed ({'; '.join(parity.failures)}); the file is kept as {rejected.name} with its "
            "report, look there, an older good file is untouched"
        )
    report = _publish(data, parity, path, trained.classes)
    return ExportResult(model=path, report=report, parity=parity, size_bytes=len(data))


def _open(data: bytes, path: Path, provider: str) -> Segmenter:
    write_whole(path, data)
    return Segmenter(path, provider)


def _publish(data: bytes, parity: Parity, path: Path, classes: Sequence[str]) -> Path:
    """Writes the model, whose spec carries the parity summary, then the report, which names the model's SHA-256."""

    def verify(written: bytes) -> None:
        check_model_bytes(written, str(path))

    write_whole(path, data, verify)
    report = path.with_name(path.name + ".parity.json")
    content = {**parity.report(classes), "file_sha256": hashlib.sha256(data).hexdigest()}
    write_json(report, content)
    return report


def _parity_frames(run: Path, trained: TrainedNetwork, parity_data: Path | None, count: int) -> list[Frame]:
    """Frames at the network's size, spread evenly over the validation split."""
    config = trained.config
    if count < 1:
        raise UsageError(f"--frames must be 1 or more, got {count}; the default is 200")
    data = parity_data if parity_data is not None else RunFolder(run).data_path()
    source = open_dataset(data, trained.label_space)
    require_classes(source, trained)
    total = len(source.splits.get("val", ()))
    if total == 0:
        raise DataError(f"{data}: parity needs validation frames, found no val split; give another by --parity-data")
    chosen = spread_evenly(total, count)
    return [
        fit(source.read("val", index), config.height_px, config.width_px)
        for index in track(chosen, "reading frames", len(chosen))
    ]


def _spec(trained: TrainedNetwork, run_name: str, precision: str) -> ModelSpec:
    config, record = trained.config, trained.checkpoint.record
    return ModelSpec(
        label_space=trained.label_space,
        classes=trained.classes,
        palette=trained.palette,
        height_px=config.height_px,
        width_px=config.width_px,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        precision=precision,
        training={
            "run": run_name,
            "data": record["data"]["name"],
            "data_sha256": record["data"]["sha256"],
            "epoch": record["epoch"],
            "mean_iou": record["best_mean_iou"],
            "config": config.to_dict(),
        },
        producer={
            "segtool": version("segtool"),
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "opset": OPSET,
        },
        licence_note=LICENCE_NOTE,
    )
