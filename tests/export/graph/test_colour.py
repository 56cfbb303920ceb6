from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.graph.colour import YuvToRgb
from runtime.camera import CameraSpec

HEIGHT, WIDTH = 32, 48
TOLERANCE = 1.0  # the conversions it is checked against round to whole levels
KINDS = [(matrix, levels) for matrix in ("bt601", "bt709") for levels in ("limited", "full")]

Bytes = NDArray[np.uint8]


def rgb(frame: Bytes, layout: str, matrix: str = "bt601", levels: str = "limited", crop=None) -> NDArray[np.float32]:
    height = frame.shape[0] * 2 // 3 if layout == "nv12" else frame.shape[0]
    camera = CameraSpec(
        height_px=height, width_px=frame.shape[1], layout=layout, yuv_matrix=matrix, yuv_range=levels, crop=crop
    )
    return YuvToRgb(camera)(torch.from_numpy(frame)[None])[0].numpy()


def noise(layout: str) -> Bytes:
    """All bytes there are; only no luma under black, which OpenCV clips before the matrix."""
    rng = np.random.default_rng(0)
    shape = (HEIGHT * 3 // 2, WIDTH) if layout == "nv12" else (HEIGHT, WIDTH, 2)
    return rng.integers(16, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("layout", ["nv12", "uyvy"])
def test_yuv_to_rgb_of_noise_agrees_with_opencv(layout: str) -> None:
    cv2 = pytest.importorskip("cv2")
    code = {"nv12": cv2.COLOR_YUV2RGB_NV12, "uyvy": cv2.COLOR_YUV2RGB_UYVY}[layout]
    expected = cv2.cvtColor(noise(layout), code)  # BT.601, limited
    assert np.abs(rgb(noise(layout), layout) - expected).max() < TOLERANCE


@pytest.mark.parametrize("layout", ["nv12", "uyvy"])
@pytest.mark.parametrize(("matrix", "levels"), KINDS)
def test_yuv_to_rgb_agrees_with_ffmpeg(
    layout: str, matrix: str, levels: str, blocks: Callable, swscale: Callable
) -> None:
    frame = blocks(layout, HEIGHT, WIDTH)
    found = rgb(frame, layout, matrix, levels)
    assert np.abs(found - swscale(frame, layout, matrix, levels)).max() < TOLERANCE
    assert found.min() == 0.0
    assert found.max() == 255.0


@pytest.mark.parametrize("layout", ["nv12", "uyvy"])
@pytest.mark.parametrize(("matrix", "levels"), KINDS)
def test_yuv_to_rgb_planted_matrix_range_or_order_is_seen(
    layout: str, matrix: str, levels: str, blocks: Callable, swscale: Callable
) -> None:
    frame = blocks(layout, HEIGHT, WIDTH)
    truth = swscale(frame, layout, matrix, levels).astype(float)
    other_matrix, other_levels = {"bt601": "bt709"}.get(matrix, "bt601"), {"full": "limited"}.get(levels, "full")
    planted = {
        "matrix": rgb(frame, layout, other_matrix, levels),
        "range": rgb(frame, layout, matrix, other_levels),
        "order": rgb(frame, layout, matrix, levels)[:, :, ::-1],
        "U for V": rgb(swapped(frame, layout), layout, matrix, levels),
    }
    for fault, image in planted.items():
        assert np.abs(image - truth).max() > 10 * TOLERANCE, fault


def swapped(frame: Bytes, layout: str) -> Bytes:
    frame = frame.copy()
    if layout == "nv12":
        frame[HEIGHT:] = frame[HEIGHT:].reshape(HEIGHT // 2, -1, 2)[:, :, ::-1].reshape(HEIGHT // 2, WIDTH)
    else:
        frame[:, :, 0] = frame[:, :, 0].reshape(HEIGHT, -1, 2)[:, :, ::-1].reshape(HEIGHT, WIDTH)
    return frame


@pytest.mark.parametrize(
    ("levels", "yuv", "expected"),
    [
        ("limited", (16, 128, 128), (0, 0, 0)),
        ("limited", (235, 128, 128), (255, 255, 255)),
        ("full", (0, 128, 128), (0, 0, 0)),
        ("full", (255, 128, 128), (255, 255, 255)),
        ("full", (100, 128, 128), (100, 100, 100)),
        ("limited", (126, 128, 128), (128.0822, 128.0822, 128.0822)),  # (126 - 16) * 255 / 219
    ],
)
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_yuv_to_rgb_greys_have_no_colour(matrix: str, levels: str, yuv: tuple, expected: tuple) -> None:
    frame = np.full((2, 4, 2), yuv[0], np.uint8)
    frame[:, 0::2, 0], frame[:, 1::2, 0] = yuv[1:]
    np.testing.assert_allclose(rgb(frame, "uyvy", matrix, levels), np.broadcast_to(expected, (2, 4, 3)), atol=1e-3)


@pytest.mark.parametrize("width", [2, 4, 6, 10, 14, 22, 48])
@pytest.mark.parametrize("layout", ["nv12", "uyvy"])
def test_yuv_to_rgb_any_even_width_agrees_with_the_widest(layout: str, width: int) -> None:
    frame = noise(layout)
    assert np.allclose(rgb(np.ascontiguousarray(frame[:, :width]), layout), rgb(frame, layout)[:, :width], atol=1e-3)


@pytest.mark.parametrize("layout", ["nv12", "uyvy"])
@pytest.mark.parametrize(
    "crop", [(0, 0, 47, 31), (1, 1, 46, 30), (3, 0, 20, 32), (4, 5, 7, 2), (47, 31, 1, 1), (2, 6, 40, 20)]
)
def test_yuv_to_rgb_of_a_crop_is_the_crop_of_the_rgb(layout: str, crop: tuple[int, int, int, int]) -> None:
    x, y, width, height = crop
    whole = rgb(noise(layout), layout)
    np.testing.assert_allclose(
        rgb(noise(layout), layout, crop=crop), whole[y : y + height, x : x + width], rtol=0, atol=1e-3
    )
