"""Pictures as a camera would deliver them, for proofs and golden frames where there is no recording of that camera."""

import numpy as np
import numpy.typing as npt

from runtime.camera import CameraSpec
from runtime.spec import ModelSpec
from trainer.data.images import resize_image

# red's and blue's weight in luma: ITU-R BT.601-7, BT.709-6
_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}

# black, extent of luma, extent of chroma
_LEVELS = {"limited": (16.0, 219.0, 224.0), "full": (0.0, 255.0, 255.0)}


def as_camera_frame(image_hwc: npt.NDArray[np.uint8], spec: ModelSpec) -> npt.NDArray[np.uint8]:
    """Gives a picture as the camera of a spec would deliver it.

    The whole picture is resized to fill what the network sees, so its labels are those of the whole picture; what the
    crop leaves out is filled with the pixels of its border. Chroma is the mean of the two (UYVY) or four (NV12) pixels
    that share it.

    Args:
        image_hwc: uint8 [H,W,3], RGB, of any size.
        spec: whose `camera` it is for; without one, the picture is resized to the network's size.

    Returns:
        uint8 of the spec's frame_shape.
    """
    camera = spec.camera
    if camera is None:
        return resize_image(image_hwc, spec.height_px, spec.width_px)
    x, y, width, height = camera.crop or (0, 0, camera.width_px, camera.height_px)
    seen = resize_image(image_hwc, height, width)
    around = ((y, camera.height_px - y - height), (x, camera.width_px - x - width), (0, 0))
    rgb = np.pad(seen, around, mode="edge")
    if camera.layout == "rgb":
        return rgb
    if camera.layout == "bgr":
        return np.ascontiguousarray(rgb[:, :, ::-1])
    return _yuv(rgb, camera)


def _yuv(rgb: npt.NDArray[np.uint8], camera: CameraSpec) -> npt.NDArray[np.uint8]:
    """RGB [H,W,3] to the bytes of `camera.layout`, rounded to whole levels."""
    weight_red, weight_blue = _RED_BLUE[str(camera.yuv_matrix)]
    black, luma_extent, chroma_extent = _LEVELS[str(camera.yuv_range)]
    red, green, blue = np.moveaxis(rgb.astype(np.float32) / 255, -1, 0)
    luma = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    u = 128 + chroma_extent * (blue - luma) / (2 - 2 * weight_blue)
    v = 128 + chroma_extent * (red - luma) / (2 - 2 * weight_red)
    height, width = camera.height_px, camera.width_px
    rows = 2 if camera.layout == "nv12" else 1  # that share a chroma sample
    chroma = np.stack([u, v], axis=-1).reshape(height // rows, rows, width // 2, 2, 2).mean(axis=(1, 3))
    luma_bytes, chroma_bytes = _bytes(black + luma_extent * luma), _bytes(chroma).reshape(height // rows, width)
    if camera.layout == "nv12":
        return np.concatenate([luma_bytes, chroma_bytes])
    return np.stack([chroma_bytes, luma_bytes], axis=-1)  # U before the first Y of a pair, V before the second


def _bytes(levels: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
