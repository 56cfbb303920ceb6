"""A frame at the network's size: changed at random for training, or the whole frame as it is for validation.

Draws come from (seed, epoch, index) alone, so a frame is the same whichever worker makes it and in whatever order.
"""

from dataclasses import dataclass

import numpy as np

from runtime.errors import UsageError
from trainer.data.dataset import Frame
from trainer.data.images import resize_image, resize_labels

_STREAM = 0x5E67  # keeps these draws apart from others that are seeded with (seed, epoch)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What may change.

    Attributes:
        crop: chance of taking a crop at all, 0..1; else the whole frame, as validation sees it.
        flip: chance of mirroring left and right, 0..1.
        min_scale: smallest enlargement, at least 1: the whole frame.
        max_scale: largest enlargement; at 1.25 a crop is 0.8 times as wide and as high as the frame.
    """

    crop: float = 0.25
    flip: float = 0.5
    min_scale: float = 1.0
    max_scale: float = 1.25

    def __post_init__(self) -> None:
        if not 0 <= self.crop <= 1:
            raise UsageError(f"expected a crop chance from 0 to 1, got {self.crop}; change Augmentation.crop")
        if not 0 <= self.flip <= 1:
            raise UsageError(f"expected a flip chance from 0 to 1, got {self.flip}; change Augmentation.flip")
        if not 1 <= self.min_scale <= self.max_scale < float("inf"):
            raise UsageError(
                f"expected scales 1 <= min <= max, got min_scale {self.min_scale} and max_scale {self.max_scale}; "
                "change Augmentation (a scale below 1 would need pixels from outside the frame)"
            )


def augment(
    frame: Frame, config: Augmentation, height_px: int, width_px: int, *, seed: int, epoch: int, index: int
) -> Frame:
    """Takes a random crop of random scale, brings it to the network's size and perhaps mirrors it.

    The crop keeps the frame's own aspect, so it is stretched exactly as `fit` stretches the whole frame.

    Args:
        frame: at any size.
        config: what may change.
        height_px: of the result.
        width_px: of the result.
        seed: of the run, from 0.
        epoch: from 0.
        index: of the frame in its split, from 0.

    Returns:
        A frame of that size; image and labels went through the same crop and mirror.

    Raises:
        UsageError: a size below 1, or a seed, epoch or index below 0.
    """
    if min(seed, epoch, index) < 0:
        raise UsageError(f"expected seed, epoch and index from 0, got {seed}, {epoch} and {index}; use whole numbers")
    draws = np.random.default_rng([_STREAM, seed, epoch, index]).random(5)  # always all five, used or not
    source_height, source_width = frame.labels_hw.shape
    cropped = float(draws[4]) < config.crop
    share = 1 / (config.min_scale + float(draws[0]) * (config.max_scale - config.min_scale)) if cropped else 1.0
    left = float(draws[1]) * (1 - share) * source_width
    top = float(draws[2]) * (1 - share) * source_height
    box = (
        left,
        top,
        min(left + share * source_width, float(source_width)),  # rounding must not lead out of the frame
        min(top + share * source_height, float(source_height)),
    )
    image_hwc = resize_image(frame.image_hwc, height_px, width_px, box)
    labels_hw = resize_labels(frame.labels_hw, height_px, width_px, box)
    if draws[3] < config.flip:
        image_hwc = np.ascontiguousarray(image_hwc[:, ::-1])
        labels_hw = np.ascontiguousarray(labels_hw[:, ::-1])
    return Frame(frame.name, image_hwc, labels_hw)


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
