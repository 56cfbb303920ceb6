"""One of the two models that are compared: a model file through the runtime (no torch), or a run's best network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.labelling import label_each
from benchmarks.model_facts import network_name
from benchmarks.record import file_record
from runtime.engine.providers import precision_notes
from runtime.errors import ModelFileError, SpecError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
from trainer.data.dataset import Dataset
from trainer.data.images import resize_image

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """A model that is open.

    Attributes:
        where: the file or the run's folder, as messages name it.
        label_space: name of what its labels mean.
        classes: names, in label order.
        labels_px: height and width of its label maps.
        batch: pictures that one call of the engine takes.
        label: pictures, uint8 RGB [H,W,3] of any size -> their labels, uint8 [labels_px], 255 for no valid answer.
        facts: what a record says of it, a JSON object.
        notes: sentences that a reader must know.
    """

    where: str
    label_space: str
    classes: tuple[str, ...]
    labels_px: tuple[int, int]
    batch: int
    label: Callable[[Sequence[UInt8]], list[UInt8]]
    facts: dict[str, Any]
    notes: tuple[str, ...] = ()


@contextmanager
def open_side(path: Path, provider: str = "auto", options: EngineOptions | None = None) -> Iterator[Side]:
    """Opens a FILE.onnx, or a run's folder, which needs torch.

    Args:
        path: of either.
        provider: for a file: "auto", "cpu" ...; a run is labelled by PyTorch.
        options: for a file, of its engine; None for the usual ones.

    Raises:
        ModelFileError: nothing is there, or not a sound file.
        CheckpointError: the run has no usable checkpoint.
        DeviceError: the provider does not run the file.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: expected a run's folder or a FILE.onnx, found nothing there; check the path")
    if path.is_dir():
        yield _run_side(path)
        return
    with Segmenter(path, provider, options=options) as segmenter:
        spec = segmenter.spec

        def label(images: Sequence[UInt8]) -> list[UInt8]:
            return [labels_hw for _, labels_hw, _ in label_each(segmenter, ((None, image) for image in images))]

        yield Side(
            where=str(path),
            label_space=spec.label_space,
            classes=tuple(spec.classes),
            labels_px=spec.labels_shape,
            batch=spec.batch,
            label=label,
            facts=file_record(segmenter, path),
            notes=tuple(precision_notes(segmenter.provider, spec.precision)),
        )


def _run_side(run: Path) -> Side:
    from trainer.evaluate import frame_labels, load_trained  # imports torch: a file needs none

    trained = load_trained(run / "best.safetensors")
    predict = frame_labels(trained)
    height_px, width_px = trained.config.height_px, trained.config.width_px

    def label(images: Sequence[UInt8]) -> list[UInt8]:
        return [predict(np.ascontiguousarray(resize_image(image_hwc, height_px, width_px))) for image_hwc in images]

    return Side(
        where=str(run),
        label_space=trained.label_space,
        classes=trained.classes,
        labels_px=(height_px, width_px),
        batch=1,
        label=label,
        facts={
            "run": run.name,
            "epoch": trained.checkpoint.record.get("epoch"),
            "network": network_name(trained.checkpoint.record),
            "width_px": width_px,
            "height_px": height_px,
            "classes": len(trained.classes),
        },
    )


def require_one_meaning(old: Side, new: Side) -> None:
    """Refuses two models whose labels mean different things.

    Raises:
        SpecError: they have other label spaces, or classes in another order.
    """
    if (old.label_space, old.classes) != (new.label_space, new.classes):
        raise SpecError(
            f"{new.where}: expected the label space {old.label_space!r} of {old.where} with the classes "
            f"{', '.join(old.classes)}, got {new.label_space!r} with {', '.join(new.classes)}; "
            "compare models of one label space"
        )


def require_its_data(side: Side, dataset: Dataset) -> None:
    """Refuses data whose labels mean something else; two data sets of one's own may both call their classes "own".

    Raises:
        SpecError: its classes are not the model's, in the same order.
    """
    if tuple(dataset.label_space.classes) != side.classes:
        raise SpecError(
            f"{dataset.path}: expected the classes {', '.join(side.classes)} of {side.where}, got "
            f"{', '.join(dataset.label_space.classes)}; give data with the classes that it was trained on"
        )
