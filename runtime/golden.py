"""Golden frames: frames and the labels this very file must give for them, packed into one metadata entry of the file.

The entry's text is base64 of a zlib stream of residuals: first those of every frame, then those of every label map. A
residual is what a value differs, modulo 256, from a guess out of those before it (the guess of JPEG-LS, ITU-T T.87,
A.4.2). The spec gives every size, so nothing in the text decides how much is read.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError, SpecError
from .spec import ModelSpec

GOLDEN_KEY = "segtool.golden"
"""The ONNX metadata entry that holds them."""

_Bytes = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class GoldenFrame:
    """A frame and its answer.

    Attributes:
        image: uint8 of the spec's frame_shape, as the camera delivers it.
        labels: uint8 [H, W] of the spec's labels_shape.
    """

    image: _Bytes = field(repr=False)
    labels: _Bytes = field(repr=False)


def pack_golden(frames: Sequence[_Bytes], labels: Sequence[_Bytes]) -> str:
    """Packs frames and their labels, without loss.

    Args:
        frames: uint8 each, of one file's frame_shape.
        labels: uint8 [H, W] each, one a frame.

    Raises:
        SpecError: none, not as many of one as of the other, or they differ in shape.
    """
    for what, arrays in (("frames", frames), ("label maps", labels)):
        shapes = sorted({f"{array.dtype} {list(array.shape)}" for array in arrays})
        if len(arrays) != len(frames) or len(shapes) != 1 or not shapes[0].startswith("uint8"):
            raise SpecError(
                f"golden frames: expected one uint8 shape and as many label maps as frames, got {len(arrays)} {what} "
                f"of {' and '.join(shapes) or 'no shape'} for {len(frames)} frames; give one label map for each frame"
            )
    packer = zlib.compressobj(strategy=zlib.Z_RLE)  # residuals hardly repeat: as small as the others, and fast
    planes = [plane for frame in frames for plane in _frame_planes(frame)]
    planes += [each[..., np.newaxis] for each in labels]
    parts = [packer.compress(_differ(plane)) for plane in planes]
    return base64.b64encode(b"".join((*parts, packer.flush()))).decode("ascii")


def read_golden(text: str, spec: ModelSpec, where: str) -> tuple[GoldenFrame, ...]:
    """Unpacks the golden frames of a file; what it allocates follows from the spec alone.

    Args:
        text: the metadata entry.
        spec: the file's.
        where: the file, for error messages.

    Raises:
        SpecError: the spec names no golden frames.
        ModelFileError: the text is not what the spec says.
    """
    if spec.golden is None:
        raise SpecError(f"{where}: expected a spec that names golden frames, got none; export the model again")
    count = int(str(spec.golden["frames"]))
    sizes = math.prod(spec.frame_shape), math.prod(spec.labels_shape)
    try:
        residuals = _decompress(text, count * sum(sizes))
        frames, labels = np.split(residuals, [count * sizes[0]])
        golden = [
            GoldenFrame(image=_undo_frame(frame, spec.frame_shape), labels=_undo_labels(answer, spec.labels_shape))
            for frame, answer in zip(frames.reshape(count, -1), labels.reshape(count, -1), strict=True)
        ]
    except (ValueError, zlib.error, MemoryError) as error:
        raise ModelFileError(
            f"{where}: expected {count} golden frames of {list(spec.frame_shape)} with labels of "
            f"{list(spec.labels_shape)}, got an entry that can't be unpacked ({error or 'out of memory'}); "
            "export the model again"
        ) from error
    return tuple(golden)


def _decompress(text: str, size: int) -> _Bytes:
    """Returns exactly `size` bytes, uint8 [size]."""
    most = size + size // 1000 + 64  # zlib's own worst case is below that
    if len(text) > 4 * ((most + 2) // 3):
        raise ValueError(f"{len(text)} characters, where at most {4 * ((most + 2) // 3)} can be needed")
    packed = base64.b64decode(text, validate=True)
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, size + 1)
    if len(data) != size or not unpacker.eof:
        got = "more" if len(data) > size else f"{len(data)} and {'no more' if unpacker.eof else 'then no end'}"
        raise ValueError(f"{size} bytes expected, got {got}")
    if unpacker.unused_data:
        raise ValueError(f"{len(unpacker.unused_data)} bytes too many at its end")
    return np.frombuffer(data, np.uint8)


def _frame_planes(frame: _Bytes) -> list[_Bytes]:
    """Views of a frame, each [H, W, C], in which neighbours are of one kind: luma apart from chroma."""
    if frame.ndim == 2:  # nv12
        height = frame.shape[0] * 2 // 3
        return [frame[:height, :, np.newaxis], frame[height:].reshape(height // 2, -1, 2)]
    if frame.shape[2] == 2:  # uyvy
        pairs = frame.reshape(frame.shape[0], -1, 4)  # U Y V Y
        return [frame[..., 1:], pairs[..., ::2]]
    return [frame]


def _guess(left: _Numbers, above: _Numbers, corner: _Numbers) -> _Numbers:
    """The median of left, above and left + above - corner."""
    return np.clip(left + above - corner, np.minimum(left, above), np.maximum(left, above))


def _differ(plane: _Bytes) -> bytes:
    padded = np.pad(plane.astype(np.int16), ((1, 0), (1, 0), (0, 0)))
    return (plane - _guess(padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1])).astype(np.uint8).tobytes()


def _add_up(residual: _Bytes) -> _Bytes:
    """Undoes `_differ`: uint8 [H, W, C] -> uint8 [H, W, C]."""
    height, width, channels = residual.shape
    padded = np.zeros((height + 1, width + 1, channels), np.int16)
    flat, residuals = padded.reshape(-1, channels), residual.reshape(-1, channels)
    # pixels of one diagonal (y + x the same) need only the two diagonals before: a row down and one to the left
    for diagonal in range(height + width - 1):
        top = max(0, diagonal - width + 1)
        count = min(diagonal, height - 1) - top + 1
        first = (top + 1) * (width + 1) + diagonal - top + 1
        here = slice(first, first + (count - 1) * width + 1, width)
        left, above, corner = (flat[here.start - back : here.stop - back : width] for back in (1, width + 1, width + 2))
        start = top * width + diagonal - top
        step = max(width - 1, 1)
        flat[here] = (residuals[start : start + (count - 1) * step + 1 : step] + _guess(left, above, corner)) & 255
    return padded[1:, 1:].astype(np.uint8)


def _undo_frame(residuals: _Bytes, shape: tuple[int, ...]) -> _Bytes:
    """The frame of `shape` out of its residuals, uint8 [bytes]."""
    frame = np.empty(shape, np.uint8)
    for plane in _frame_planes(frame):
        plane[...] = _add_up(residuals[: plane.size].reshape(plane.shape))
        residuals = residuals[plane.size :]
    return frame


def _undo_labels(residuals: _Bytes, shape: tuple[int, int]) -> _Bytes:
    return np.ascontiguousarray(_add_up(residuals.reshape(*shape, 1))[..., 0])
