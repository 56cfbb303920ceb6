"""The file's second output against the softmax of the trained network's logits. Numpy only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.proof.gates import Gates
from runtime.spec import IGNORE_ID


@dataclass(frozen=True, kw_only=True)
class ConfidenceError:
    """How far the confidence is from the reference, in levels of 0 to 255.

    Attributes:
        pixels: compared: those where both have a valid label.
        over_one: of them, those that are off by more than one level.
        largest: absolute error.
        mean: absolute error; NaN where no pixel was compared.
        invalid_confident: pixels labelled 255 with a confidence over 0.
    """

    pixels: int = 0
    over_one: int = 0
    largest: int = 0
    total: int = 0
    invalid_confident: int = 0

    @property
    def mean(self) -> float:
        """Absolute error over all compared pixels; NaN where there are none."""
        return self.total / self.pixels if self.pixels else math.nan

    def failures(self, gates: Gates) -> tuple[str, ...]:
        """One sentence for each thing that is wrong."""
        found = []
        if self.pixels and not self.mean <= gates.confidence_error:
            found.append(
                f"confidence is off by {self.mean:.3f} of 255 in the mean, at most {gates.confidence_error} is allowed"
            )
        if self.invalid_confident:
            found.append(f"{self.invalid_confident} pixels without an answer (255) have a confidence over 0")
        return tuple(found)

    def plus(
        self,
        expected_hw: NDArray[np.float64],
        confidence_hw: NDArray[np.uint8],
        reference_hw: NDArray[np.uint8],
        labels_hw: NDArray[np.uint8],
    ) -> "ConfidenceError":
        """With one more frame.

        Args:
            expected_hw: float64 [H,W], 0 to 255, of the reference.
            confidence_hw: uint8 [H,W], of the file.
            reference_hw: uint8 [H,W], labels of the reference.
            labels_hw: uint8 [H,W], labels of the file.
        """
        valid = (reference_hw != IGNORE_ID) & (labels_hw != IGNORE_ID)
        error = np.abs(np.rint(expected_hw[valid]).astype(np.int64) - confidence_hw[valid].astype(np.int64))
        return ConfidenceError(
            pixels=self.pixels + error.size,
            over_one=self.over_one + int(np.count_nonzero(error > 1)),
            largest=max(self.largest, int(error.max(initial=0))),
            total=self.total + int(error.sum()),
            invalid_confident=self.invalid_confident
            + int(np.count_nonzero((labels_hw == IGNORE_ID) & (confidence_hw > 0))),
        )
