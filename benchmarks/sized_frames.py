"""The frames of a split as a network gets them, one at a time: what every measurement over a data set goes through."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from trainer.data.augment import fit
from trainer.data.dataset import Dataset, Frame
from trainer.data.progress import track

Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]  # uint8 RGB [H,W,3] -> labels uint8 [H,W]


def sized_frames(dataset: Dataset, split: str, height_px: int, width_px: int, doing: str) -> Iterator[Frame]:
    """Yields every frame of a split at the network's size, image contiguous, with a progress bar.

    Args:
        dataset: whose frames.
        split: which part of it.
        height_px: of the network's input.
        width_px: of the network's input.
        doing: what the bar says.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """
    count = len(dataset.frames(split))
    for index in track(range(count), doing, count):
        frame = fit(dataset.read(split, index), height_px, width_px)
        yield Frame(frame.name, np.ascontiguousarray(frame.image_hwc), frame.labels_hw)
