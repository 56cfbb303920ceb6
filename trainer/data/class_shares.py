"""How often each class occurs in a data set: what class weights are made of."""

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from trainer.data.dataset import Dataset
from trainer.data.progress import track


def class_shares(dataset: Dataset, split: str = "train", limit: int | None = None) -> npt.NDArray[np.float64]:
    """Counts the pixels of every class over a split, each frame at its own size; ignored pixels count nowhere.

    Args:
        dataset: opened with the label space whose classes are counted.
        split: which part of it.
        limit: the first so many frames only; None for all.

    Returns:
        float64 `[C]`, 0..1, adding up to 1.

    Raises:
        DataError: no such split, a frame that can't be read, or no valid pixel in any.
    """
    names = dataset.frames(split)[:limit]
    counts = np.zeros(256, np.int64)
    for index in track(range(len(names)), f"counting the classes of {split}", len(names)):
        counts += np.bincount(dataset.read(split, index).labels_hw.ravel(), minlength=256)
    valid = counts[: len(dataset.label_space.classes)]
    if valid.sum() == 0:
        raise DataError(
            f"{dataset.path}: expected pixels of a class in '{split}', got none in {len(names)} frames (all are "
            f"ignored); look with: segtool data inspect {dataset.path}"
        )
    return valid / valid.sum()
