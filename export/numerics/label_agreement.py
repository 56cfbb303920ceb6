"""How many labels a graph and the float32 graph have in common on some frames; what int8's choices are judged by."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.calibration import feeds, open_on_cpu
from runtime.errors import DataError
from runtime.model_file import OUTPUT_NAME


def labels_of(
    model: onnx.ModelProto, frames: Sequence[NDArray[np.uint8]], threads: int | None = None
) -> list[NDArray[np.uint8]]:
    """The label map uint8 [H,W] of each frame, on ONNX Runtime's CPU provider.

    Args:
        model: a whole graph.
        frames: uint8, each as the graph's input wants it without the batch axis.
        threads: CPU threads; None leaves it to ONNX Runtime.

    Raises:
        DataError: a frame of another shape or type than the graph's input.
    """
    session = open_on_cpu(model, threads)
    return [session.run([OUTPUT_NAME], inputs)[0][0] for inputs in feeds(session, frames)]


def agreement(one: Sequence[NDArray[np.uint8]], other: Sequence[NDArray[np.uint8]]) -> float:
    """Share of all pixels of two lists of label maps, frame by frame of one shape, that are equal; 0..1.

    Raises:
        DataError: no frames, or not as many in both.
    """
    if not one or len(one) != len(other):
        raise DataError(f"label agreement: expected two equally long lists of maps, got {len(one)} and {len(other)}")
    equal = sum(int(np.count_nonzero(a == b)) for a, b in zip(one, other, strict=True))
    return equal / sum(labels.size for labels in one)
