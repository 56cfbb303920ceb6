"""The frames of a split at a network's or camera's size, one at a time: for every measurement over a data set."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from trainer.data.dataset import Dataset, Frame
from trainer.data.images import resize_image, resize_labels

Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]  # uint8 RGB [H,W,3] -> labels, uint8 [H,W]


def sized_frames(
    dataset: Dataset, split: str, height_px: int, width_px: int, labels_px: tuple[int, int] | None = None
) -> Iterator[Frame]:
    """Yields every frame of a split at one size, image contiguous; each is decoded when it is asked for.

    Args:
        dataset: whose frames.
        split: which part of it.
        height_px: of the image: of the network's input, or of what a camera's file is shown.
        width_px: likewise.
        labels_px: height and width of the truth, by `resize_labels` from its own size; the image's where None.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """

    def sized(index: int) -> Frame:
        frame = dataset.read(split, index)
        image_hwc = np.ascontiguousarray(resize_image(frame.image_hwc, height_px, width_px))
        labels_hw = resize_labels(frame.labels_hw, *(labels_px or (height_px, width_px)))
        return Frame(frame.name, image_hwc, labels_hw)

    return map(sized, range(len(dataset.frames(split))))
