"""The frames on which a new model lost most, each class counting alike. Numpy only.

What a frame loses of a class is the fall of the class's right pixels on it, over the class's pixels in the whole split:
its part in the fall of the class's recall. The mean of that over the classes, with no gain set against a loss, is the
frame's loss. So a pedestrian who was lost stands above a strip of road, and is not made good by a better sky.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.approval.comparison import Comparison
from benchmarks.approval.verdict import Allowance

_RIGHT, _TRUTH = 0, 1  # of `class_counts`


@dataclass(frozen=True, kw_only=True)
class FrameLoss:
    """What one frame lost.

    Attributes:
        index: of the frame in its split.
        name: of the frame.
        loss: mean over the classes of what it lost of each, 0 to 1.
        class_name: that lost most on it.
        class_loss: pixels of that class that were right and no longer are, of all its pixels in the split; 0 to 1.
    """

    index: int
    name: str
    loss: float
    class_name: str
    class_loss: float


def worst_frames(compared: Comparison, allowance: Allowance, count: int) -> list[FrameLoss]:
    """The frames that lost most, the worst first; none that lost nothing.

    Classes with too few pixels for a verdict are left out, or a handful of them would fill every place; all are in
    where there is no other.

    Args:
        compared: both models over the split.
        allowance: how many pixels and frames a class needs.
        count: frames wanted, at most.
    """
    losses = _losses(compared)
    enough = (np.array(compared.class_pixels) >= allowance.min_pixels) & (
        np.array(compared.class_frames) >= allowance.min_frames
    )
    kept = enough if enough.any() else np.array(compared.class_pixels) > 0
    losses = np.where(kept, losses.clip(min=0), 0.0)
    total = losses.sum(axis=1) / max(int(kept.sum()), 1)
    order = np.argsort(-total, kind="stable")[:count]
    return [
        FrameLoss(
            index=int(index),
            name=compared.names[index],
            loss=float(total[index]),
            class_name=compared.classes[int(losses[index].argmax())],
            class_loss=float(losses[index].max()),
        )
        for index in order
        if total[index] > 0
    ]


def _losses(compared: Comparison) -> npt.NDArray[np.float64]:
    """float64 [F, C]; each model's right pixels over its own truth, whose size may be another."""
    old, new = (
        counts[:, _RIGHT] / np.maximum(counts[:, _TRUTH].sum(axis=0), 1)
        for counts in (compared.old_counts, compared.new_counts)
    )
    return old - new
