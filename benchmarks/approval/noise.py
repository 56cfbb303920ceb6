"""One frame seen again and again through a camera's sensor noise: how often two models' labels flip. Numpy only.

The noise is that of a linear sensor (EMVA 1288, release 4.0, section 2): the variance of the light of a pixel is what
photons vary by, in proportion to the light, and what reading it out adds. A frame's levels are taken for sRGB
(IEC 61966-2-1), and each pixel and channel has noise of its own: demosaicing and denoising are left out.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from benchmarks.approval.flicker import Flicker

REPEATS = 8
FRAMES = 16
FULL_WELL_E = 2000.0
"""Electrons at level 255: a small automotive pixel at some gain, as at dusk. Level 128 then varies by 2.9 levels."""
READ_NOISE_E = 4.0

UInt8 = npt.NDArray[np.uint8]


def with_sensor_noise(image_hwc: UInt8, random: np.random.Generator) -> UInt8:
    """Another exposure of the same scene.

    Args:
        image_hwc: uint8 RGB [H,W,3]; left as it is.
        random: where the noise is drawn.
    """
    electrons = (FULL_WELL_E * _linear(np.arange(256.0) / 255)).astype(np.float32)[image_hwc]
    deviation = np.sqrt(electrons + np.float32(READ_NOISE_E**2))
    noisy = electrons + deviation * random.standard_normal(image_hwc.shape, np.float32)
    levels = 255 * _encoded(np.clip(noisy / np.float32(FULL_WELL_E), 0, 1))
    return np.rint(levels).astype(np.uint8)


def chosen_frames(count: int, seed: int) -> list[int]:
    """At most `FRAMES` of the numbers 0 to count - 1, in order."""
    return sorted(np.random.default_rng(seed).choice(count, min(FRAMES, count), replace=False).tolist())


def flips_between(old: list[UInt8], new: list[UInt8]) -> Flicker:
    """Compares each repeat with each other one: labels uint8 [H,W] of the repeats by either model."""
    pairs = list(combinations(range(len(old)), 2))
    return Flicker(
        looked=len(pairs) * old[0].size,
        old_flips=sum(int(np.count_nonzero(old[one] != old[other])) for one, other in pairs),
        new_flips=sum(int(np.count_nonzero(new[one] != new[other])) for one, other in pairs),
    )


def _linear(encoded: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
