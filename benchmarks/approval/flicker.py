"""How restless two models are: labels that change though the scene does not. Between the frames of a video; numpy.

A vehicle's tracker sees flicker as objects that come and go, which no score of single frames shows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from trainer.data.images import resize_image

SAME_SCENE = 0.9
"""Least correlation of two thumbnails for one frame to follow the other in a video. Frames of CamVid, 1/15 s apart in a
moving car, have 0.95 or more; neighbours of the Cityscapes pairs, which are other places, 0.84 or less."""
THUMBNAIL_PX = 32
STILL_LEVELS = 4
"""Most that grey, after the blur, may differ anywhere around a pixel that stands still, in levels of 0 to 255."""
BLUR_PX = 1.0
AROUND_PX = 5  # side of the square around a pixel: what moves past nearby may move the border of a class

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Flicker:
    """Looks at the same thing that came out differently.

    Attributes:
        looked: pairs of looks at a pixel.
        old_flips: in how many of them the old model's label differs.
        new_flips: the new model's.
    """

    looked: int = 0
    old_flips: int = 0
    new_flips: int = 0

    @property
    def old_rate(self) -> float:
        """0 to 1; NaN where nothing was looked at."""
        return self.old_flips / self.looked if self.looked else float("nan")

    @property
    def new_rate(self) -> float:
        """Likewise, of the new model."""
        return self.new_flips / self.looked if self.looked else float("nan")

    def plus(self, other: "Flicker") -> "Flicker":
        """Both together."""
        return Flicker(
            looked=self.looked + other.looked,
            old_flips=self.old_flips + other.old_flips,
            new_flips=self.new_flips + other.new_flips,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Look:
    thumbnail: npt.NDArray[np.float64]
    grey: npt.NDArray[np.int16]
    truth_hw: UInt8
    old_hw: UInt8
    new_hw: UInt8


class VideoFlicker:
    """Counts label flips between a frame and the one before it, where the scene stands still.

    Two frames that follow each other in the split are taken for a video's where their thumbnails correlate. In them a
    pixel stands still where grey hardly differs around it, and its truth is the same in both. That is no optical flow:
    a road that slides by without a texture counts as still too, and its label should stay all the same.

    Attributes:
        flicker: pixels that stood still, and flips on them.
        pairs: of frames that follow each other in a video.
        pixels: of all those pairs, still or not.
    """

    def __init__(self) -> None:
        self.flicker = Flicker()
        self.pairs = 0
        self.pixels = 0
        self._before: _Look | None = None

    def add(self, image_hwc: UInt8, truth_hw: UInt8, old_hw: UInt8, new_hw: UInt8) -> None:
        """Looks at the next frame.

        Args:
            image_hwc: uint8 RGB [H,W,3], of any size.
            truth_hw: uint8 [h,w], as the two that follow.
            old_hw: labels of the old model.
            new_hw: labels of the new model.
        """
        height, width = truth_hw.shape
        picture = Image.fromarray(resize_image(np.ascontiguousarray(image_hwc), height, width)).convert("L")
        now = _Look(
            thumbnail=np.asarray(picture.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX), np.float64),
            grey=np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR_PX)), np.int16),
            truth_hw=truth_hw,
            old_hw=old_hw,
            new_hw=new_hw,
        )
        before, self._before = self._before, now
        if before is None or not follows(before.thumbnail, now.thumbnail):
            return
        still = stands_still(before.grey, now.grey) & (before.truth_hw == now.truth_hw)
        self.pairs += 1
        self.pixels += still.size
        self.flicker = self.flicker.plus(
            Flicker(
                looked=int(np.count_nonzero(still)),
                old_flips=int(np.count_nonzero(still & (before.old_hw != now.old_hw))),
                new_flips=int(np.count_nonzero(still & (before.new_hw != now.new_hw))),
            )
        )


def follows(before: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> bool:
    """Whether two thumbnails, float64 grey of one size, show one scene a moment apart; never where one is flat."""
    first, second = before - before.mean(), now - now.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return scale > 0 and float((first * second).sum()) >= SAME_SCENE * scale


def stands_still(before: npt.NDArray[np.int16], now: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Where no pixel of the square around it differs by more than `STILL_LEVELS`: int16 grey [H,W] -> bool [H,W]."""
    moved = np.abs(before - now).astype(np.uint8)
    return np.asarray(Image.fromarray(moved).filter(ImageFilter.MaxFilter(AROUND_PX))) <= STILL_LEVELS
