"""Colour jitter: one frame under another light and through a worse lens. Knows no labels: nothing here moves a pixel.

Order: gamma, brightness and contrast as one table of 256 levels, then saturation, blur and noise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from runtime.errors import UsageError

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's grey
_NEUTRAL = 1.0


@dataclass(frozen=True, kw_only=True)
class Light:
    """What happens to a frame's colours; the defaults do nothing.

    Attributes:
        brightness: factor of the levels, above 0.
        contrast: factor of the distance from the frame's mean grey (its mean after gamma and brightness), above 0.
        saturation: factor of the distance from each pixel's own grey, above 0.
        gamma: exponent of the levels over 255, above 0: above 1 darkens the middle, black and white stay.
        blur_px: radius (standard deviation) of a Gaussian blur, in pixels of the frame as it comes; 0 for none.
        noise: standard deviation of Gaussian noise per pixel and channel, in levels of 0..255; 0 for none.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    gamma: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        factors = {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "gamma": self.gamma,
        }
        for name, value in factors.items():
            if not 0 < value < float("inf"):
                raise UsageError(f"expected a {name} above 0 and finite, got {value:g}; 1 changes nothing")
        for name, value in {"blur_px": self.blur_px, "noise": self.noise}.items():
            if not 0 <= value < float("inf"):
                raise UsageError(f"expected a {name} of 0 or more and finite, got {value:g}; 0 changes nothing")


def relight(
    image_hwc: npt.NDArray[np.uint8], light: Light, random: np.random.Generator | None = None
) -> npt.NDArray[np.uint8]:
    """One frame under `light`; levels are rounded to the nearest and kept within 0..255 after each of the four steps.

    Args:
        image_hwc: uint8 `[H,W,3]`, 0..255, RGB; left as it is.
        light: what to do.
        random: where the noise is drawn; needed with `light.noise`.

    Returns:
        uint8 `[H,W,3]`; the same array where there is nothing to do.

    Raises:
        UsageError: noise without a generator to draw it from.
    """
    if light.noise and random is None:
        raise UsageError(f"expected a random generator with a noise of {light.noise:g}, got None; give one")
    if light == Light():
        return image_hwc
    picture = Image.fromarray(np.ascontiguousarray(image_hwc))
    if (light.gamma, light.brightness, light.contrast) != (_NEUTRAL, _NEUTRAL, _NEUTRAL):
        picture = picture.point(_levels(picture, light) * 3)
    if light.saturation != _NEUTRAL:
        picture = picture.convert("RGB", _saturation_matrix(light.saturation))
    if light.blur_px:
        picture = picture.filter(ImageFilter.GaussianBlur(light.blur_px))
    lit_hwc = np.array(picture)
    if light.noise and random is not None:
        grain = random.standard_normal(lit_hwc.shape, np.float32) * np.float32(light.noise)
        lit_hwc = np.clip(np.rint(lit_hwc + grain), 0, 255).astype(np.uint8)
    return lit_hwc


def _levels(picture: Image.Image, light: Light) -> list[int]:
    """What becomes of each level 0..255, as 256 levels."""
    levels = np.arange(256.0)
    if light.gamma != _NEUTRAL:
        levels = 255.0 * (levels / 255.0) ** light.gamma
    levels = light.brightness * levels
    if light.contrast != _NEUTRAL:
        counts = np.array(picture.convert("L").histogram())
        mean = float((np.minimum(levels, 255.0) * counts).sum() / counts.sum())
        levels = mean + light.contrast * (levels - mean)
    rounded: list[int] = np.clip(np.rint(levels), 0, 255).astype(int).tolist()
    return rounded


def _saturation_matrix(factor: float) -> tuple[float, ...]:
    """3x4 for Pillow's `convert`, which adds a half before it cuts: rounded to the nearest."""
    rows = []
    for channel in range(3):
        row = [(1.0 - factor) * share for share in LUMA]
        row[channel] += factor
        rows += [*row, 0.0]
    return tuple(rows)
