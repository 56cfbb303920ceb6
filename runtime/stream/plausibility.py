"""What is odd about a frame's light, and about an answer beside those of the file's proof: flags, never corrections.

All of it rests on a grid of points. Against a count of all pixels a class's share is off by 0.1 % of the frame (root
mean square) and by 0.4 % at most: 125 Cityscapes label maps of 256x256, 21 of them at 1920x1208, where the grid costs
0.03 ms in place of 3. It sees how much there is of a class, not where.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec import ModelSpec
from .result import Flag

# Levels of luma, or of green, which has most of it. Of 3,225 Cityscapes and 468 CamVid frames, all taken by day, the
# darkest has 27 % of its points over DARK_LEVEL, the brightest 63 % below BRIGHT_LEVEL; a covered lens and a blown-out
# picture have none. At night, what lamps light is over it.
DARK_LEVEL = 32
BRIGHT_LEVEL = 224
LEAST_SHARE = 0.02  # of the points

# How far a class's share may lie outside the range of the proof. With a network for 7 classes and 200 frames of
# validation, 0.7 % of 744 frames of other cities were flagged, all of noise, black and white, 84 % of 25 upside down.
# With 0.2 it was 0.3 %, no black one and 60 %. The range of one drive tells little of another: with CamVid's two
# splits 65 % are flagged.
SHARE_MARGIN = 0.1

# The same network had at most 7.4 % of unsure points in validation, 7.7 % in the 744 others, 30 % and more in noise.
# Inverted, dim and blurred frames don't show: a network is sure of much that it never saw.
UNSURE_BELOW = 128  # of 255: rather wrong than right
UNSURE_MARGIN = 0.05

_GRID = 128  # points across and down, or up to twice as many

_Bytes = npt.NDArray[np.uint8]


class Plausibility:
    """Looks at the frames and the answers of one model file. It keeps nothing of them."""

    def __init__(self, spec: ModelSpec) -> None:
        """Takes what the file says of its frames and of the answers in its proof.

        Args:
            spec: of a file for one frame a run. Without `expected`, answers are never odd.
        """
        limited = spec.camera is not None and spec.camera.yuv_range == "limited"
        self._dark, self._bright = (_limited(level) if limited else level for level in (DARK_LEVEL, BRIGHT_LEVEL))
        self._luma_rows = spec.frame_shape[0] * 2 // 3 if spec.layout == "nv12" else None
        expected: Any = spec.expected  # the spec has checked what is in it
        ranges = [(0.0, 1.0)] * len(spec.classes)
        self._most_unsure = 1.0
        if expected is not None:
            ranges = [expected["shares"][name] for name in spec.classes]
            if expected["unsure"] is not None:
                self._most_unsure = expected["unsure"] + UNSURE_MARGIN
        lowest, highest = np.array(ranges).T  # float64 [C] each
        self._least, self._most = lowest - SHARE_MARGIN, highest + SHARE_MARGIN

    def flags(self, frame: _Bytes, labels: _Bytes, confidence: _Bytes | None) -> tuple[Flag, ...]:
        """What is odd about a frame and its answer.

        Args:
            frame: uint8 [spec.frame_shape].
            labels: uint8 [spec.labels_shape]; a 255 is of no class.
            confidence: uint8 of that shape; None where the file has no such output.

        Returns:
            Some of DARK, BRIGHT, UNUSUAL_SHARES and UNSURE, in that order.
        """
        luma = _grid(frame[..., 1] if self._luma_rows is None else frame[: self._luma_rows])  # G of RGB and BGR, Y
        shares = class_shares(labels, len(self._least))
        odd = {
            Flag.DARK: np.count_nonzero(luma > self._dark) < LEAST_SHARE * luma.size,
            Flag.BRIGHT: np.count_nonzero(luma < self._bright) < LEAST_SHARE * luma.size,
            Flag.UNUSUAL_SHARES: bool(np.any((shares < self._least) | (shares > self._most))),
            Flag.UNSURE: confidence is not None and unsure_share(confidence) > self._most_unsure,
        }
        return tuple(flag for flag, is_so in odd.items() if is_so)


def class_shares(labels_hw: _Bytes, class_count: int) -> npt.NDArray[np.float64]:
    """How much of a label map each class fills, counted on a grid.

    Args:
        labels_hw: uint8 [H, W].
        class_count: C, 1 to 255.

    Returns:
        float64 [C], 0 to 1; together 1 but for labels that are no class.
    """
    points = _grid(labels_hw)
    return np.bincount(points.ravel(), minlength=class_count)[:class_count] / points.size


def unsure_share(confidence_hw: _Bytes) -> float:
    """How much of a confidence map lies below UNSURE_BELOW, counted on a grid; 0 to 1.

    Args:
        confidence_hw: uint8 [H, W].
    """
    points = _grid(confidence_hw)
    return int(np.count_nonzero(points < UNSURE_BELOW)) / points.size  # numpy's own numbers are not JSON


def _grid(plane_hw: _Bytes) -> _Bytes:
    """A view of at most 255 rows and columns, evenly spread; all of them below 256."""
    down, across = (max(1, side // _GRID) for side in plane_hw.shape)
    return plane_hw[down // 2 :: down, across // 2 :: across]


def _limited(level: int) -> int:
    """A level of 0 to 255 as luma of 16 to 235 (ITU-R BT.709-6, 4.6)."""
    return round(16 + level * 219 / 255)
