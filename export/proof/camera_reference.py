"""What a graph should make of a camera's frame, computed a second time: numpy, float64, one plain step after another.

Written from the standards and from Pillow's formula, and shares no code with export/graph, whose faults it is to show.
"""

import math

import numpy as np
from numpy.typing import NDArray

from runtime.camera import CameraSpec
from runtime.errors import FrameError

Floats = NDArray[np.float64]


def reference_stages(
    frame: NDArray[np.uint8], camera: CameraSpec | None, height_px: int, width_px: int
) -> dict[str, Floats]:
    """A frame's colours and what the network should see of them.

    Args:
        frame: uint8 of the camera's frame_shape; RGB [height_px,width_px,3] without a camera.
        camera: how the frame is delivered; None for RGB of the network's size.
        height_px: of the network's input.
        width_px: of the network's input.

    Returns:
        "colour": [H',W',3], RGB 0..255, after the crop. "resized": [height_px,width_px,3], RGB 0..255. Neither is
        rounded.

    Raises:
        FrameError: the frame has another shape or type than the camera's.
    """
    expected = camera.frame_shape if camera is not None else (height_px, width_px, 3)
    if frame.dtype != np.uint8 or frame.shape != expected:
        raise FrameError(
            f"reference: expected a frame uint8 {list(expected)}, got {frame.dtype} {list(frame.shape)}; give it as "
            "the camera delivers it"
        )
    colour = _rgb(frame, camera)
    if camera is not None and camera.crop is not None:
        x, y, width, height = camera.crop
        colour = colour[y : y + height, x : x + width]
    across = np.moveaxis(_resized(np.moveaxis(colour, 1, 0), width_px), 0, 1)
    return {"colour": colour, "resized": _resized(across, height_px)}


def _rgb(frame: NDArray[np.uint8], camera: CameraSpec | None) -> Floats:
    values = frame.astype(np.float64)
    if camera is None or camera.layout == "rgb":
        return values
    if camera.layout == "bgr":
        return values[:, :, ::-1]
    y, cb, cr = np.empty((3, camera.height_px, camera.width_px))
    if camera.layout == "uyvy":
        y[:] = values[:, :, 1]
        cb[:, 0::2] = cb[:, 1::2] = values[:, 0::2, 0]
        cr[:, 0::2] = cr[:, 1::2] = values[:, 1::2, 0]
    else:
        y[:] = values[: camera.height_px]
        chroma = values[camera.height_px :]
        for row in (0, 1):
            for column in (0, 1):
                cb[row::2, column::2] = chroma[:, 0::2]
                cr[row::2, column::2] = chroma[:, 1::2]
    return _decoded(y, cb, cr, camera)


def _decoded(y: Floats, cb: Floats, cr: Floats, camera: CameraSpec) -> Floats:
    """Quantised Y'CbCr to R'G'B' 0..255, clipped.

    BT.601-7 section 2.5 and BT.709-6 section 3 define E'Y = kr E'R + kg E'G + kb E'B, E'Cb = (E'B - E'Y) / (2 - 2 kb),
    E'Cr = (E'R - E'Y) / (2 - 2 kr); limited range is Y = 219 E'Y + 16, C = 224 E'C + 128; full range 255 for both.
    """
    kr, kg, kb = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}[str(camera.yuv_matrix)]
    if camera.yuv_range == "limited":
        luma, blue, red = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    else:
        luma, blue, red = y / 255, (cb - 128) / 255, (cr - 128) / 255
    r = luma + (2 - 2 * kr) * red
    b = luma + (2 - 2 * kb) * blue
    g = (luma - kr * r - kb * b) / kg
    return np.clip(255 * np.stack([r, g, b], axis=-1), 0, 255)


def _resized(values: Floats, size: int) -> Floats:
    """Pillow's `precompute_coeffs` with its triangle filter, along axis 0."""
    old = len(values)
    if old == size:
        return values
    scale = old / size
    reach = max(scale, 1.0)
    result = np.empty((size, *values.shape[1:]))
    for place in range(size):
        centre = (place + 0.5) * scale
        first = max(int(centre - reach + 0.5), 0)
        end = min(int(centre + reach + 0.5), old)
        weights = [max(0.0, 1.0 - abs((old_place - centre + 0.5) / reach)) for old_place in range(first, end)]
        total = math.fsum(weights)
        result[place] = np.tensordot(np.array(weights) / total, values[first:end], axes=1)
    return result
