"""Smooth random fields: clouds, foliage, plaster."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NoiseArray = NDArray[np.float32]


def smooth_noise(
    rng: np.random.Generator, size_px: tuple[int, int], cell_px: float, octaves: int, fade: float = 0.5
) -> NoiseArray:
    """Draws a field of blobs within blobs.

    Args:
        rng: source of the random numbers.
        size_px: (width, height) of the field.
        cell_px: width of the largest blobs.
        octaves: how many layers, each twice as fine as the one before.
        fade: strength of a layer as a share of the one before.

    Returns:
        float32 [height, width], mean about 0, standard deviation about 1.
    """
    width, height = size_px
    field = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        cell = cell_px / 2**octave
        coarse = (max(2, round(width / cell) + 1), max(2, round(height / cell) + 1))
        grid = Image.fromarray(rng.standard_normal((coarse[1], coarse[0]), dtype=np.float32))
        field += np.asarray(grid.resize(size_px, Image.Resampling.BICUBIC)) * np.float32(fade**octave)
    spread = float(field.std())
    return field / np.float32(spread) if spread > 0 else field
