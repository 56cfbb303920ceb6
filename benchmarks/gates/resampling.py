"""How far a median would move if a series were measured again: resampled in blocks, for latencies are no coin tosses.

A slow phase of the machine lasts over many frames. Drawing single frames (Efron 1979) takes such a phase for as many
independent facts and gives an interval that is far too narrow; drawing stretches of consecutive frames keeps it whole
(Kuensch 1989, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17:1217).
"""

import math

import numpy as np
import numpy.typing as npt

_AT_ONCE = 1 << 16  # drawn samples in memory: few enough to stay in a cache

Series = npt.NDArray[np.float64]


def block_length(series: Series) -> int:
    """Chooses the length of the blocks from how long a series remembers whether it is above its median.

    Politis and White (2004), Automatic block-length selection for the dependent bootstrap, Econometric Reviews 23:53,
    with the correction of Patton, Politis and White (2009), 28:372: the length for the moving-block bootstrap. It is
    made for means; the median behaves as the mean of the signs about it, so the signs are what is looked at.

    Args:
        series: float64 [N], N at least 1, in the order of its measurement.

    Returns:
        1 to min(3 sqrt N, N / 3), rounded up: 1 where one sample says nothing about the next.
    """
    count = len(series)
    most = math.ceil(min(3 * math.sqrt(count), count / 3))
    signs = np.sign(series - np.median(series))
    signs -= signs.mean()
    variance = float(signs @ signs) / count
    if count < 4 or variance == 0.0:
        return 1
    quiet_lags = max(5, math.ceil(math.sqrt(math.log10(count))))  # so many in a row within the noise end the memory
    lags = min(count - 1, math.ceil(math.sqrt(count)) + quiet_lags)
    covariances = np.array([signs[: count - lag] @ signs[lag:] / count for lag in range(lags + 1)])
    loud = np.abs(covariances[1:]) / variance >= 2 * math.sqrt(math.log10(count) / count)
    memory = _last_before_quiet(loud, quiet_lags)
    if memory == 0:
        return 1
    width = min(2 * memory, lags)
    lag = np.arange(1, width + 1)
    taper = np.clip(2 * (1 - lag / width), 0, 1)  # the flat-top window: 1 to the half, then down to 0
    weighted = taper * covariances[1 : width + 1]
    spread = float(covariances[0] + 2 * weighted.sum())  # the long-run variance
    if spread <= 0:  # neighbours alternate: there is no slow phase to be kept whole
        return 1
    change = float(2 * (lag * weighted).sum())
    length = (2 * change**2 / (4 / 3 * spread**2)) ** (1 / 3) * count ** (1 / 3)
    return max(1, min(math.ceil(length), most))


def _last_before_quiet(loud: npt.NDArray[np.bool_], quiet_lags: int) -> int:
    """The lag after which `quiet_lags` in a row are not loud; the last loud one where there is no such stretch."""
    if not loud.any():
        return 0
    for start in range(len(loud) - quiet_lags + 1):
        if not loud[start : start + quiet_lags].any():
            return start
    return int(np.flatnonzero(loud)[-1]) + 1


def resampled_medians(series: Series, length: int, draws: int, generator: np.random.Generator) -> Series:
    """Draws new series out of blocks of one, and returns the median of each.

    Args:
        series: float64 [N], N at least 1, in the order of its measurement.
        length: of a block, 1 to N; 1 draws single samples.
        draws: how many new series.
        generator: of the places where blocks start.

    Returns:
        float64 [draws].
    """
    count = len(series)
    blocks = -(-count // length)
    chunk = max(1, _AT_ONCE // (blocks * length))
    offsets = np.arange(length)
    middle = [(count - 1) // 2, count // 2]
    medians = []
    for start in range(0, draws, chunk):
        starts = generator.integers(0, count - length + 1, (min(chunk, draws - start), blocks, 1))
        drawn = series[(starts + offsets).reshape(len(starts), -1)[:, :count]]
        medians.append(np.partition(drawn, middle, axis=1)[:, middle].mean(axis=1))  # 4 times as fast as np.median
    return np.concatenate(medians)
