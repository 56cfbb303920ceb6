"""Frames of cameras, conversions of others, and small networks to hang the ends on."""

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@pytest.fixture
def blocks() -> Callable[[str, int, int], Bytes]:
    """Frames of random colours in blocks of 8x8 pixels, all of one block alike: no rule for chroma between them."""

    def make(layout: str, height_px: int, width_px: int) -> Bytes:
        rng = np.random.default_rng(3)
        size = (height_px // 8, width_px // 8)
        luma, u, v = (
            np.kron(rng.integers(16, top, size), np.ones((8, 8), int)).astype(np.uint8) for top in (236, 241, 241)
        )
        if layout == "nv12":
            chroma = np.stack([u[::2, ::2], v[::2, ::2]], axis=-1).reshape(height_px // 2, width_px)
            return np.concatenate([luma, chroma])
        frame = np.empty((height_px, width_px, 2), np.uint8)
        frame[:, :, 1], frame[:, 0::2, 0], frame[:, 1::2, 0] = luma, u[:, 0::2], v[:, 1::2]
        return frame

    return make


@pytest.fixture
def swscale() -> Callable[[Bytes, str, str, str], Bytes]:
    """FFmpeg's own conversion: frame, layout, matrix, range -> RGB [H,W,3]."""
    av = pytest.importorskip("av")
    reformatter = pytest.importorskip("av.video.reformatter")
    spaces = {"bt601": reformatter.Colorspace.ITU601, "bt709": reformatter.Colorspace.ITU709}
    ranges = {"limited": reformatter.ColorRange.MPEG, "full": reformatter.ColorRange.JPEG}

    def convert(frame: Bytes, layout: str, matrix: str, levels: str) -> Bytes:
        height = frame.shape[0] * 2 // 3 if layout == "nv12" else frame.shape[0]
        picture = av.VideoFrame(frame.shape[1], height, "nv12" if layout == "nv12" else "uyvy422")
        parts = (frame[:height], frame[height:]) if layout == "nv12" else (frame.reshape(height, -1),)
        for plane, part in zip(picture.planes, parts, strict=True):
            rows = np.zeros((len(part), plane.line_size), np.uint8)
            rows[:, : part.shape[1]] = part
            plane.update(rows.tobytes())
        planar = picture.reformat(  # planar RGB: its way to packed RGB is a faster one, off by up to 3 levels
            format="gbrp",
            src_colorspace=spaces[matrix],
            src_color_range=ranges[levels],
            dst_color_range=ranges["full"],
            interpolation=reformatter.Interpolation.POINT,
        )
        return planar.to_ndarray()

    return convert


@pytest.fixture
def run() -> Callable[..., list[NDArray[np.generic]]]:
    """Runs a graph on the CPU: model or bytes, frame, names of the outputs."""

    def answer(model: onnx.ModelProto | bytes, image: Bytes, *names: str) -> list[NDArray[np.generic]]:
        data = model if isinstance(model, bytes) else model.SerializeToString()
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        return session.run(list(names) or None, {"image": image})

    return answer
