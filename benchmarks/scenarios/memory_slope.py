"""How fast a series grows, with an error that holds for a process's memory. Knows nothing of memory otherwise."""

import math

import numpy as np
import numpy.typing as npt

BLOCKS = 10


def memory_slope(at: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Returns the slope by least squares, and its standard error.

    The error is not that of least squares, which takes each reading for a new piece of evidence. Memory does not
    scatter about a line: it stays where it is, and steps; one step of an allocator, which says nothing of the next,
    would be a slope of many errors. What is new in each part of the run is the change to the part before. So the error
    comes from the changes between the means of `BLOCKS` equal parts: the slope through k of them is the sum of these
    changes, weighted by 6 i (k - i) / (k (k^2 - 1)), and its variance their variance times the sum of the squared
    weights, times 3/2, as means vary by two thirds of what a walk gathers from part to part. It is right for a random
    walk, and too large rather than too small where readings scatter about a line.

    Args:
        at: int64 [N], ascending at even intervals, N at least 2 * `BLOCKS`.
        values: int64 [N], of any unit.
    """
    centred = at - at.mean()
    slope = float(centred @ (values - values.mean()) / (centred @ centred))
    means = np.array([part.mean() for part in np.array_split(values.astype(np.float64), BLOCKS)])
    step = (at[-1] - at[0]) / (len(at) - 1) * len(at) / BLOCKS  # from one part's middle to the next one's
    place = np.arange(1, BLOCKS)
    weights = 6 * place * (BLOCKS - place) / (BLOCKS * (BLOCKS**2 - 1))
    variance = 1.5 * float(np.diff(means).var(ddof=1)) * float((weights**2).sum())
    return slope, math.sqrt(variance) / float(step)
