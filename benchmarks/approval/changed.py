"""Which pixels two models label differently: from what to what, and whether the truth likes it better. Numpy only."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.spec import IGNORE_ID

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Tendency:
    """Pixels that changed, by what the truth says of them.

    Attributes:
        better: the old model was wrong, the new one is right.
        worse: the old model was right, the new one is wrong.
        neither: both are wrong, each in its own way.
    """

    better: int
    worse: int
    neither: int

    @property
    def pixels(self) -> int:
        """All of them."""
        return self.better + self.worse + self.neither


class ChangedPixels:
    """Counts, frame by frame, the pixels with a truth whose label changed.

    Attributes:
        pixels: with a truth, changed or not.
    """

    def __init__(self) -> None:
        self.pixels = 0
        self._counts: Counter[tuple[int, int, int]] = Counter()  # truth, from, to

    def add(self, truth_hw: UInt8, old_hw: UInt8, new_hw: UInt8) -> None:
        """Adds a frame; uint8 [H,W] each, 255 for ignored or no valid answer."""
        valid = truth_hw != IGNORE_ID
        self.pixels += int(np.count_nonzero(valid))
        changed = valid & (old_hw != new_hw)
        codes = (truth_hw[changed].astype(np.int32) << 16) | (old_hw[changed].astype(np.int32) << 8) | new_hw[changed]
        for code, count in zip(*(each.tolist() for each in np.unique(codes, return_counts=True)), strict=True):
            self._counts[code >> 16, code >> 8 & 255, code & 255] += count

    @property
    def share(self) -> float:
        """Changed pixels of those with a truth, 0 to 1; NaN where there is none."""
        return self.total().pixels / self.pixels if self.pixels else float("nan")

    def total(self) -> Tendency:
        """All changed pixels."""
        return _tendency(self._counts)

    def pairs(self) -> list[tuple[int, int, Tendency]]:
        """From which label to which, 255 for no valid answer; the most frequent first."""
        by_pair: dict[tuple[int, int], Counter[tuple[int, int, int]]] = {}
        for (truth, old, new), count in self._counts.items():
            by_pair.setdefault((old, new), Counter())[truth, old, new] = count
        pairs = [(old, new, _tendency(counts)) for (old, new), counts in by_pair.items()]
        return sorted(pairs, key=lambda pair: (-pair[2].pixels, pair[:2]))


def _tendency(counts: Counter[tuple[int, int, int]]) -> Tendency:
    better = sum(count for (truth, _, new), count in counts.items() if new == truth)
    worse = sum(count for (truth, old, _), count in counts.items() if old == truth)
    return Tendency(better=better, worse=worse, neither=counts.total() - better - worse)
