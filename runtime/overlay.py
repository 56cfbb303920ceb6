"""Label maps as pictures: a colour for each class, alone or blended over the camera's image."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .errors import DataError, UsageError
from .spec import IGNORE_ID

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]


def colourise(labels_hw: Pixels, palette: Sequence[Colour], ignore_colour: Colour = (0, 0, 0)) -> Pixels:
    """Paints each label in its class's colour.

    >>> import numpy as np
    >>> from segtool_runtime import colourise
    >>> colourise(np.array([[0, 1, 255]], np.uint8), [(128, 64, 128), (70, 130, 180)]).tolist()
    [[[128, 64, 128], [70, 130, 180], [0, 0, 0]]]

    Args:
        labels_hw: uint8 [H, W]; 0 to len(palette) - 1, or 255.
        palette: an RGB colour for each class (spec.palette).
        ignore_colour: RGB colour of label 255.

    Returns:
        uint8 RGB [H, W, 3].

    Raises:
        DataError: not a label map, or a label without a colour.
        UsageError: not RGB colours of 0 to 255, or more than 255 of them.
    """
    _check_labels(labels_hw, len(palette))
    return _colour_table(palette, ignore_colour)[labels_hw]


def blend(image_hwc: Pixels, labels_hw: Pixels, palette: Sequence[Colour], opacity: float = 0.5) -> Pixels:
    """Lays the class colours over an image; where the label is 255 the image stays as it is.

    >>> import numpy as np
    >>> from segtool_runtime import blend
    >>> image = np.full((1, 2, 3), 100, np.uint8)
    >>> blend(image, np.array([[0, 255]], np.uint8), [(200, 0, 100)], opacity=0.5).tolist()
    [[[150, 50, 100], [100, 100, 100]]]

    Args:
        image_hwc: uint8 RGB [H, W, 3].
        labels_hw: uint8 [H, W]; 0 to len(palette) - 1, or 255.
        palette: an RGB colour for each class (spec.palette).
        opacity: 0 (the image alone) to 1 (the colours alone).

    Returns:
        uint8 RGB [H, W, 3], a new array.

    Raises:
        DataError: image and labels do not fit each other, or a label without a colour.
        UsageError: opacity out of range, or not RGB colours.
    """
    if not 0.0 <= opacity <= 1.0:
        raise UsageError(f"opacity: expected 0 to 1, got {opacity}")
    colours = colourise(labels_hw, palette)
    if not isinstance(image_hwc, np.ndarray) or image_hwc.dtype != np.uint8 or image_hwc.shape != colours.shape:
        got = (
            f"{image_hwc.dtype} {list(image_hwc.shape)}"
            if isinstance(image_hwc, np.ndarray)
            else type(image_hwc).__name__
        )
        raise DataError(
            f"image: expected uint8 {list(colours.shape)} as the labels have it, got {got}; "
            "resize the labels to the image's size first (nearest)"
        )
    mixed = image_hwc * np.float32(1.0 - opacity) + colours * np.float32(opacity)
    blended = np.rint(mixed).astype(np.uint8)
    return np.where((labels_hw == IGNORE_ID)[..., None], image_hwc, blended)


def _colour_table(palette: Sequence[Colour], ignore_colour: Colour) -> Pixels:
    colours = np.zeros((256, 3), np.uint8)
    for label, colour in [*enumerate(palette), (IGNORE_ID, ignore_colour)]:
        if label > IGNORE_ID or len(colour) != 3 or not all(0 <= level <= 255 for level in colour):
            raise UsageError(f"palette: expected at most 255 RGB colours of 0 to 255, got {colour} for label {label}")
        colours[label] = colour
    return colours


def _check_labels(labels_hw: object, class_count: int) -> None:
    if not isinstance(labels_hw, np.ndarray) or labels_hw.dtype != np.uint8 or labels_hw.ndim != 2:
        got = (
            f"{labels_hw.dtype} {list(labels_hw.shape)}"
            if isinstance(labels_hw, np.ndarray)
            else type(labels_hw).__name__
        )
        raise DataError(f"labels: expected a uint8 array [H, W], got {got}; give a Segmenter's result.labels")
    strange = (labels_hw >= class_count) & (labels_hw != IGNORE_ID)
    if np.any(strange):
        raise DataError(
            f"labels: expected 0 to {class_count - 1} or {IGNORE_ID}, got {labels_hw[strange][0]} "
            f"({np.count_nonzero(strange)} such pixels); give the palette of the model that made them"
        )
