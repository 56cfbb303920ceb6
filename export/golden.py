"""The frames that a file carries to test itself with on the target: synthetic scenes, or frames of one's own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.spec import ModelSpec
from trainer.data.camera_frames import as_camera_frame
from trainer.data.dataset import open_dataset, spread_evenly
from trainer.data.synthetic import MAX_SIZE_PX, MIN_SIZE_PX, render_scene

GOLDEN_FRAMES = 2
_SEED = 20  # of the scenes; any will do, and it must not change between two exports of one run

# Least share of equal labels. On a CPU only the order of sums moves near ties between kinds of processors; a GPU sums
# in another order for every kernel, in half precision with 11 bits.
AGREEMENT = {"cpu": 0.999, "*": 0.995}


def golden_frames(spec: ModelSpec, data: Path | None) -> tuple[list[NDArray[np.uint8]], str]:
    """Frames as the spec's camera would deliver them, and where they come from.

    Args:
        spec: of the file that is to carry them.
        data: a data set whose validation frames to take; None for synthetic scenes, which show nobody.

    Returns:
        Two frames, uint8 `spec.frame_shape`, and a name for the spec.

    Raises:
        DataError: `data` has no validation frames.
    """
    if data is None:
        size_px = min(max(spec.height_px, spec.width_px, MIN_SIZE_PX), MAX_SIZE_PX)
        photos = [render_scene(_SEED, index, size_px)[0] for index in range(GOLDEN_FRAMES)]
        return [as_camera_frame(photo, spec) for photo in photos], "synthetic scenes"
    source = open_dataset(data, spec.label_space)
    total = len(source.splits.get("val", ()))
    if total < GOLDEN_FRAMES:
        raise DataError(
            f"{data}: --golden needs {GOLDEN_FRAMES} validation frames, found {total}; give a data set that has them"
        )
    chosen = spread_evenly(total, GOLDEN_FRAMES)
    return [as_camera_frame(source.read("val", index).image_hwc, spec) for index in chosen], data.name
