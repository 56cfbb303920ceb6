"""What a file says of itself: the one place that builds a ModelSpec."""

from collections.abc import Mapping
from importlib.metadata import version

import onnx
import torch

from export.settings import ExportSettings
from runtime.spec import ModelSpec
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

LICENCE_NOTE = "The weights were learnt from the data set named under training; its licence may bind their use."


def describe(
    trained: TrainedNetwork,
    run_name: str,
    settings: ExportSettings,
    *,
    opset: int,
    confidence: Mapping[str, object] | None = None,
    numerics: Mapping[str, object] | None = None,
) -> ModelSpec:
    """The spec of a file before it is proven: no parity, nothing expected, no golden frames yet.

    Args:
        trained: what is exported.
        run_name: the run's folder, without its path.
        settings: what the file is to be.
        opset: of the graph.
        confidence: the temperature and what it was worth; None where the file has no such output.
        numerics: what was done for the precision.
    """
    config, record = trained.config, trained.checkpoint.record
    return ModelSpec(
        label_space=trained.label_space,
        classes=trained.classes,
        palette=trained.palette,
        height_px=config.height_px,
        width_px=config.width_px,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        precision=settings.precision,
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
            "opset": opset,
        },
        licence_note=LICENCE_NOTE,
        camera=settings.camera,
        labels_at=settings.labels_at,
        labels_from=settings.labels_from,
        batch=settings.batch,
        confidence=confidence,
        numerics=numerics,
    )
