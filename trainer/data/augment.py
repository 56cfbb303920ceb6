"""A frame at the network's size: changed at random for training, or the whole frame as it is for validation.

Draws come from (seed, epoch, index) alone, so a frame is the same whichever worker makes it and in whatever order.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError
from runtime.spec import IGNORE_ID
from trainer.data.dataset import Frame
from trainer.data.images import resize_image, resize_labels
from trainer.data.light import Light, relight

_STREAM = 0x5E67  # keeps these draws apart from others that are seeded with (seed, epoch)
PADDING_RGB = (124, 116, 104)  # the mean colour that the network subtracts: padding is nearly 0 after it
SMALLEST_SCALE = 0.1


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What may change; everything is drawn anew for each frame and epoch. The defaults are the recipe "seed".

    The draws of one ingredient do not depend on whether another is on, so runs with and without it see the same crops.

    Attributes:
        crop: chance of another scale at all, 0..1; else the whole frame, as validation sees it.
        flip: chance of mirroring left and right, 0..1.
        min_scale: smallest enlargement, 0.1 or more; drawn evenly up to `max_scale`. Below 1 the frame is shrunk and
            the rest of the picture is the mean colour, ignored by the loss.
        max_scale: largest enlargement; at 1.25 a crop is 0.8 times as wide and as high as the frame.
        brightness: 0 for none; at 0.5 a factor from 1 / 1.5 to 1.5, its logarithm drawn evenly; see `Light`.
        contrast: likewise.
        saturation: likewise.
        gamma: likewise.
        blur_px: largest blur radius in pixels of the network's input, drawn evenly from 0.
        noise: largest standard deviation of the noise in levels of 0..255, drawn evenly from 0.
    """

    crop: float = 0.25
    flip: float = 0.5
    min_scale: float = 1.0
    max_scale: float = 1.25
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    gamma: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, chance in {"crop": self.crop, "flip": self.flip}.items():
            if not 0 <= chance <= 1:
                raise UsageError(f"expected a {name} chance from 0 to 1, got {chance}; change Augmentation.{name}")
        if not SMALLEST_SCALE <= self.min_scale <= self.max_scale < float("inf"):
            raise UsageError(
                f"expected scales {SMALLEST_SCALE} <= min <= max, got min_scale {self.min_scale} and "
                f"max_scale {self.max_scale}; change --scale"
            )
        strengths = {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "gamma": self.gamma,
            "blur_px": self.blur_px,
            "noise": self.noise,
        }
        for name, strength in strengths.items():
            if not 0 <= strength < float("inf"):
                raise UsageError(
                    f"expected a {name} of 0 or more and finite, got {strength}; change Augmentation.{name}, 0 for none"
                )


def augment(
    frame: Frame, config: Augmentation, height_px: int, width_px: int, *, seed: int, epoch: int, index: int
) -> Frame:
    """Brings a frame to the network's size at a random scale and place, in random light, and perhaps mirrors it.

    Above scale 1 that is a crop, below it the whole frame within padding. Either keeps the frame's own aspect, so it is
    stretched exactly as `fit` stretches the whole frame.

    Args:
        frame: at any size.
        config: what may change.
        height_px: of the result.
        width_px: of the result.
        seed: of the run, from 0.
        epoch: from 0.
        index: of the frame in its split, from 0.

    Returns:
        A frame of that size; image and labels went through the same crop, padding and mirror.

    Raises:
        UsageError: a size below 1, or a seed, epoch or index below 0.
    """
    if min(seed, epoch, index) < 0:
        raise UsageError(f"expected seed, epoch and index from 0, got {seed}, {epoch} and {index}; use whole numbers")
    random = np.random.default_rng([_STREAM, seed, epoch, index])
    # always all of them, used or not, the noise last: else one ingredient would change the draws of the others
    scale_draw, left_draw, top_draw, flip_draw, crop_draw = random.random(5).tolist()
    light = _draw_light(config, random.random(6).tolist())
    scale = config.min_scale + scale_draw * (config.max_scale - config.min_scale) if crop_draw < config.crop else 1.0
    if scale < 1:
        small = fit(frame, max(1, round(height_px * scale)), max(1, round(width_px * scale)))
        lit = Frame(frame.name, relight(small.image_hwc, light, random), small.labels_hw)
        made = _pad(lit, height_px, width_px, left_draw, top_draw)
    else:
        cropped = _crop(frame, 1 / scale, height_px, width_px, left_draw, top_draw)
        made = Frame(frame.name, relight(cropped.image_hwc, light, random), cropped.labels_hw)
    if flip_draw >= config.flip:
        return made
    return Frame(
        frame.name, np.ascontiguousarray(made.image_hwc[:, ::-1]), np.ascontiguousarray(made.labels_hw[:, ::-1])
    )


def _crop(frame: Frame, share: float, height_px: int, width_px: int, left_draw: float, top_draw: float) -> Frame:
    """The crop that is `share` (0..1) as wide and as high as the frame; draws 0..1 place it."""
    source_height, source_width = frame.labels_hw.shape
    left = left_draw * (1 - share) * source_width
    top = top_draw * (1 - share) * source_height
    box = (
        left,
        top,
        min(left + share * source_width, float(source_width)),  # rounding must not lead out of the frame
        min(top + share * source_height, float(source_height)),
    )
    return Frame(
        frame.name,
        resize_image(frame.image_hwc, height_px, width_px, box),
        resize_labels(frame.labels_hw, height_px, width_px, box),
    )


def _pad(frame: Frame, height_px: int, width_px: int, left_draw: float, top_draw: float) -> Frame:
    """The frame within a larger picture of the mean colour, ignored there; draws 0..1 place it."""
    height, width = frame.labels_hw.shape
    top, left = round(top_draw * (height_px - height)), round(left_draw * (width_px - width))
    image_hwc: npt.NDArray[np.uint8] = np.empty((height_px, width_px, 3), np.uint8)
    image_hwc[:] = PADDING_RGB
    image_hwc[top : top + height, left : left + width] = frame.image_hwc
    labels_hw = np.full((height_px, width_px), IGNORE_ID, np.uint8)
    labels_hw[top : top + height, left : left + width] = frame.labels_hw
    return Frame(frame.name, image_hwc, labels_hw)


def _draw_light(config: Augmentation, draws: list[float]) -> Light:
    """Six draws 0..1 to a light."""

    def factor(strength: float, draw: float) -> float:
        return float((1.0 + strength) ** (2.0 * draw - 1.0))

    return Light(
        brightness=factor(config.brightness, draws[0]),
        contrast=factor(config.contrast, draws[1]),
        saturation=factor(config.saturation, draws[2]),
        gamma=factor(config.gamma, draws[3]),
        blur_px=config.blur_px * draws[4],
        noise=config.noise * draws[5],
    )


def fit(frame: Frame, height_px: int, width_px: int) -> Frame:
    """Brings the whole frame to the network's size, unchanged otherwise: what validation sees.

    Raises:
        UsageError: a size below 1.
    """
    return Frame(
        frame.name,
        resize_image(frame.image_hwc, height_px, width_px),
        resize_labels(frame.labels_hw, height_px, width_px),
    )
