"""What a frame, and an array for its answer, must be before it may come near the engine. Converts nothing."""

from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from .errors import FrameError
from .spec import ModelSpec

_FORMS = {
    "rgb": "[height, width, 3]",
    "bgr": "[height, width, 3]",
    "nv12": "[height * 3 / 2, width], the rows of Y over those of U and V",
    "uyvy": "[height, width, 2], U Y V Y for each two pixels of a row",
}


def check_frame(frame: object, spec: ModelSpec) -> None:
    """Refuses all but a uint8 array of exactly the spec's frame_shape ([batch, *frame_shape] for batches over 1).

    Raises:
        FrameError: it is something else; nothing is converted or resized in silence.
    """
    shape = spec.frame_shape if spec.batch == 1 else (spec.batch, *spec.frame_shape)
    if type(frame) is np.ndarray and frame.dtype == np.uint8 and frame.shape == shape:
        return
    expected = f"expected a uint8 {spec.layout.upper()} array {list(shape)}"
    form = _FORMS[spec.layout] if spec.batch == 1 else f"{spec.batch} frames {_FORMS[spec.layout]}"
    if not _is_plain(frame):
        raise FrameError(f"frame: {expected}, got {type(frame).__name__}; give a numpy array {form}")
    frame = np.asarray(frame)  # what it holds, whatever a subclass says of itself
    if frame.dtype != np.uint8:
        raise FrameError(f"frame: {expected}, got {frame.dtype} values; give the camera's own 0 to 255")
    if frame.shape != shape:
        raise FrameError(f"frame: {expected}, got {list(frame.shape)}; {_advice(frame.shape, shape, spec, form)}")


def _is_plain(array: object) -> TypeGuard[npt.NDArray[Any]]:
    # numpy.memmap and other subclasses are fine; not those that hide values, or have numpy's functions do otherwise
    return (
        isinstance(array, np.ndarray)
        and not isinstance(array, np.ma.MaskedArray)
        and type(array).__array_function__ is np.ndarray.__array_function__
    )


def _advice(got: tuple[int, ...], expected: tuple[int, ...], spec: ModelSpec, form: str) -> str:
    other_size = spec.layout != "nv12" and len(got) == len(expected) and got[-1] == expected[-1]
    if not other_size or (spec.batch > 1 and got[0] != spec.batch):
        return f"give {form}"
    if spec.camera is None:
        return f"resize it first ({spec.resize})"
    return "give the camera's whole frame, the graph crops and resizes it"


def answer_arrays(
    out: object, out_confidence: object, spec: ModelSpec, where: str
) -> tuple[npt.NDArray[np.uint8], ...]:
    """The arrays that an answer goes into: the caller's own, or new ones.

    Args:
        out: for the labels; None for a new one.
        out_confidence: for the confidence; None for a new one, and where the file has no such output.
        spec: the file's.
        where: the file, for the message.

    Returns:
        uint8 [H, W] ([batch, H, W] for batches) for the labels and, where the file has that output, the confidence.

    Raises:
        FrameError: one can't take the answer.
    """
    labels = _own_or_new(out, "out", spec)
    if spec.confidence is not None:
        confidence = _own_or_new(out_confidence, "out_confidence", spec)
        check_apart(labels, confidence)
        return labels, confidence
    if out_confidence is not None:
        raise FrameError(
            f"out_confidence: expected None, as {where} has no output of confidence, "
            f"got {type(out_confidence).__name__}; leave it out, or export the model with --confidence"
        )
    return (labels,)


def _own_or_new(out: object, name: str, spec: ModelSpec) -> npt.NDArray[np.uint8]:
    return np.empty(answer_shape(spec), np.uint8) if out is None else check_out(out, name, spec)


def check_out(out: object, name: str, spec: ModelSpec) -> npt.NDArray[np.uint8]:
    """Refuses all but a writeable C-contiguous uint8 array of the spec's labels_shape ([batch, H, W] likewise).

    Args:
        out: where labels or confidence are to go.
        name: the argument's, for the message.
        spec: the model's.

    Returns:
        The array itself.

    Raises:
        FrameError: it is something else.
    """
    shape = answer_shape(spec)
    if not _is_plain(out) or out.dtype != np.uint8 or out.shape != shape:
        got = f"{out.dtype} {list(out.shape)}" if _is_plain(out) else type(out).__name__
        raise FrameError(
            f"{name}: expected a uint8 array {list(shape)}, got {got}; make it np.empty({shape}, np.uint8)"
        )
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise FrameError(
            f"{name}: expected a writeable C-contiguous array, got one that is "
            f"{'read-only' if not out.flags.writeable else 'a strided view'}; make it np.empty({shape}, np.uint8)"
        )
    return out


def check_apart(out: npt.NDArray[np.uint8], out_confidence: npt.NDArray[np.uint8]) -> None:
    """Refuses two arrays of one memory, where the confidence would stand in place of the labels.

    Args:
        out: where labels are to go; C-contiguous.
        out_confidence: where the confidence is to go; C-contiguous.

    Raises:
        FrameError: they overlap.
    """
    if np.may_share_memory(out, out_confidence):
        raise FrameError(
            f"out_confidence: expected memory of its own {list(out.shape)}, got that of out; "
            f"make it np.empty({out.shape}, np.uint8)"
        )


def answer_shape(spec: ModelSpec) -> tuple[int, ...]:
    """Shape of the labels that one call gives: [H, W], or [batch, H, W] for batches over 1."""
    return spec.labels_shape if spec.batch == 1 else (spec.batch, *spec.labels_shape)
