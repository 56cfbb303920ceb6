"""Where along the data's path a file leaves the trained network: the error of each stage. No torch.

The stages are read out of the file's own graph, whatever its precision: they are float32 values with fixed names.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from export.proof.candidate import as_batch
from export.proof.gates import Gates
from export.proof.pixels import spread
from export.proof.stage_error import StageError
from runtime.engine.providers import open_session
from runtime.model_file import check_model_bytes
from runtime.options import EngineOptions
from runtime.spec import ModelSpec
from trainer.data.images import resize_image

STAGES = ("colour", "resized", "normalised", "logits")
PILLOW = "resized, Pillow"
IMAGE = "image"

_LEVEL = (
    1.0  # of 0..255: what a camera's own noise exceeds, and half a pixel's shift, another filter or matrix does not
)
_EXACT = 1e-4  # of a standard deviation: float32 is off by a hundredth of it

Array = NDArray[np.float64]


@dataclass
class _Sum:
    largest: float = 0.0
    total: float = 0.0
    values: int = 0


class StageErrors:
    """Reads the stages of a file, frame by frame, and adds up their errors."""

    def __init__(self, data: bytes, gates: Gates, provider: str = "cpu") -> None:
        """Opens the file's graph with its stages as outputs.

        Args:
            data: of the finished file.
            gates: whose `logit_error` is the tolerance of the logits.
            provider: that runs it.

        Raises:
            ModelFileError: not a sound file.
            DeviceError: the provider does not run it.
        """
        self.spec, _ = check_model_bytes(data, "the file to prove")
        staged, self.names = with_stage_outputs(onnx.load_from_string(data))
        self._session, self.provider = open_session(
            staged, provider, EngineOptions(cuda_graph=False), "the file with its stages as outputs"
        )
        self._tolerances = tolerances(self.spec, self.names, gates)
        self._sums = {name: _Sum() for name in self._tolerances}

    def add(self, images: Sequence[NDArray[np.uint8]], expected: Sequence[Mapping[str, Array]]) -> None:
        """Runs at most `spec.batch` frames.

        Args:
            images: uint8 [spec.frame_shape] each.
            expected: the reference's stages of each (`reference.ReferenceFrame.stages`).
        """
        for got, wanted in zip(self.read(images), expected, strict=True):
            for name in self.names:
                scale = spread(wanted[name]) if name == "logits" else 1.0
                self._count(name, np.abs(got[name] - wanted[name]) / scale)
            if PILLOW in self._sums:
                seen = _as_pillow(wanted, self.spec)
                self._count(PILLOW, np.abs(np.rint(got["resized"]) - seen))

    def read(self, images: Sequence[NDArray[np.uint8]]) -> list[dict[str, Array]]:
        """The stages of at most `spec.batch` frames: "colour" and "resized" [H,W,3], the others [C,h,w]."""
        batch = as_batch(images, self.spec.batch)
        found = self._session.run(list(self.names), {IMAGE: batch.reshape(self.spec.batch, *self.spec.frame_shape)})
        return [
            {name: _laid_out(name, value[index]) for name, value in zip(self.names, found, strict=True)}
            for index in range(len(images))
        ]

    def result(self) -> tuple[StageError, ...]:
        """The errors so far, in the order of the data's path."""
        return tuple(
            StageError(
                name=name,
                largest=part.largest,
                mean=part.total / part.values if part.values else math.nan,
                tolerance=self._tolerances[name],
            )
            for name, part in self._sums.items()
        )

    def _count(self, name: str, error: Array) -> None:
        part = self._sums[name]
        part.largest = float(np.maximum(part.largest, error.max()))  # np.maximum keeps a NaN, max() may lose it
        part.total += float(error.sum())
        part.values += error.size


def with_stage_outputs(model: onnx.ModelProto) -> tuple[bytes, tuple[str, ...]]:
    """The graph with its stages as further outputs, unsealed, and their names."""
    made = {output for node in model.graph.node for output in node.output}
    names = tuple(name for name in STAGES if name in made)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    for name in names:
        copy.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return copy.SerializeToString(), names


def tolerances(spec: ModelSpec, names: Sequence[str], gates: Gates) -> dict[str, float]:
    """The largest error allowed, by stage, in their order.

    One grey level wherever the graph converts colours or resizes, and as much of it as normalisation leaves; nothing
    but rounding where it does not. Pillow rounds to whole levels, once before the resize too where colours are made.
    """
    found = {}
    for name in names:
        if name == "normalised":
            found[name] = _LEVEL / (255 * min(spec.std)) if {"colour", "resized"} & set(names) else _EXACT
        else:
            found[name] = gates.logit_error if name == "logits" else _LEVEL
        if name == "resized":
            found[PILLOW] = _LEVEL
    return found


def _laid_out(name: str, value: NDArray[np.float32]) -> Array:
    """One frame's stage as the reference has it: images [H,W,3], the rest [C,h,w]; "resized" lies in planes."""
    image = value.astype(np.float64)
    return image.transpose(1, 2, 0) if name == "resized" else image


def _as_pillow(wanted: Mapping[str, Array], spec: ModelSpec) -> Array:
    """What Pillow makes of the seen part, at the network's size."""
    seen = np.rint(wanted["colour"]).clip(0, 255).astype(np.uint8)
    return resize_image(seen, spec.height_px, spec.width_px).astype(np.float64)
