"""From what a user says of the camera to a CameraSpec, or a refusal that names the crop that would fit. No torch."""

from export.settings import Resize
from runtime.camera import YUV_LAYOUTS, CameraSpec
from runtime.errors import SpecError, UsageError

Crop = tuple[int, int, int, int]

LARGEST_STRETCH = 1.10
"""How far the two aspects may lie apart before objects look unlike those of the training."""

_HD_HEIGHT_PX = 720


def plan_camera(
    *,
    network_height_px: int,
    network_width_px: int,
    width_px: int,
    height_px: int,
    layout: str,
    crop: Crop | None = None,
    stretch: bool = False,
    yuv_matrix: str | None = None,
    yuv_range: str | None = None,
    resize: Resize = "auto",
) -> CameraSpec:
    """Describes a camera for a network: colour, what of the frame is seen, and how that is shrunk.

    Where nothing is said of a YUV camera, its matrix is BT.709 from 720 rows on and BT.601 below, as video players
    guess, and its range limited, which is what both standards define; whatever is taken stands in the spec.

    Args:
        network_height_px: of what the network sees.
        network_width_px: of what the network sees.
        width_px: of the camera's frame.
        height_px: of the camera's frame.
        layout: "rgb", "bgr", "nv12" or "uyvy"; see CameraSpec.
        crop: x, y, width, height in pixels of the frame; also odd ones in YUV.
        stretch: take another aspect than the network's as it is.
        yuv_matrix: "bt601" or "bt709".
        yuv_range: "limited" or "full".
        resize: "products", "resize-node", or "auto": products, which say the same in every engine.

    Raises:
        UsageError: no camera can be so, or what is seen has an aspect more than 10 % off the network's.
    """
    if layout in YUV_LAYOUTS:
        yuv_matrix = yuv_matrix if yuv_matrix is not None else ("bt709" if height_px >= _HD_HEIGHT_PX else "bt601")
        yuv_range = yuv_range if yuv_range is not None else "limited"
    network = (network_height_px, network_width_px)
    seen = (crop[3], crop[2]) if crop is not None and len(crop) == 4 else (height_px, width_px)
    chosen = "products" if resize == "auto" else resize
    try:
        camera = CameraSpec(
            height_px=height_px,
            width_px=width_px,
            layout=layout,
            yuv_matrix=yuv_matrix,
            yuv_range=yuv_range,
            crop=None if seen == (height_px, width_px) and crop is not None and crop[:2] == (0, 0) else crop,
            resize="none" if seen == network else chosen,
        )
    except SpecError as error:
        raise UsageError(f"--camera {width_px}x{height_px} --input {layout}: {error}") from error
    if not stretch:
        _check_aspect(camera, network)
    return camera


def _check_aspect(camera: CameraSpec, network: tuple[int, int]) -> None:
    (height, width), (network_height, network_width) = camera.seen_shape, network
    ratio = width * network_height / (height * network_width)  # over 1: too wide
    if 1 / LARGEST_STRETCH <= ratio <= LARGEST_STRETCH:
        return
    x, y, crop_width, crop_height = fitting_crop(camera, network)
    raise UsageError(
        f"--camera {camera.width_px}x{camera.height_px}: expected what the network sees to have nearly its aspect, "
        f"{network_width}:{network_height}, got {width}x{height}, {abs(_wider(ratio) - 1):.0%} "
        f"{'wider' if ratio > 1 else 'narrower'}; give --crop {x},{y},{crop_width},{crop_height}, or --stretch to "
        "have it distorted"
    )


def _wider(ratio: float) -> float:
    return ratio if ratio > 1 else 1 / ratio


def fitting_crop(camera: CameraSpec, network: tuple[int, int]) -> Crop:
    """The largest crop of what is seen that has the network's aspect, in the middle and on even pixels.

    Args:
        camera: whose `crop`, or whole frame, is to be cropped further.
        network: height and width of what the network sees.

    Returns:
        x, y, width and height.
    """
    height, width = camera.seen_shape
    x, y = camera.crop[:2] if camera.crop is not None else (0, 0)
    fit_width = min(width, round(height * network[1] / network[0]))
    fit_height = min(height, round(width * network[0] / network[1]))
    fit_width, fit_height = (max(1, size - size % 2 if size > 1 else size) for size in (fit_width, fit_height))
    left, top = ((whole - part) // 2 for whole, part in ((width, fit_width), (height, fit_height)))
    return x + left - left % 2, y + top - top % 2, fit_width, fit_height
