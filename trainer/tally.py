"""What a network said of a data set, added up frame by frame: for every evaluation, with torch or without."""

import numpy as np
import numpy.typing as npt

from runtime.metrics import Scores, confusion_matrix, scores
from runtime.spec import IGNORE_ID

Labels = npt.NDArray[np.uint8]


class Tally:
    """Counts that only grow.

    Attributes:
        confusion: int64 [C, C + 1], the sum of every frame's `confusion_matrix`.
        frames: how many were added.
        invalid_frames: how many of them have a predicted 255, no valid answer, on any pixel, an ignored one too.
    """

    def __init__(self, class_count: int) -> None:
        """Begins with nothing.

        Args:
            class_count: C, 1 to 255.
        """
        self.confusion = np.zeros((class_count, class_count + 1), np.int64)
        self.frames = 0
        self.invalid_frames = 0

    def add(self, truth_nhw: Labels, predicted_nhw: Labels) -> None:
        """Adds frames.

        Args:
            truth_nhw: uint8 [N, H, W], 255 = ignored.
            predicted_nhw: uint8 [N, H, W], 255 = no valid answer.

        Raises:
            DataError: shapes differ, or a truth label is no class.
        """
        self.confusion += confusion_matrix(truth_nhw, predicted_nhw, len(self.confusion))
        self.frames += len(predicted_nhw)
        self.invalid_frames += sum(int(labels_hw.max()) == IGNORE_ID for labels_hw in predicted_nhw)

    def scores(self) -> Scores:
        """Every score of the sum."""
        return scores(self.confusion)
