"""Sensor noise against its formula, flips by hand."""

import numpy as np
import pytest

from benchmarks.approval.flicker import Flicker
from benchmarks.approval.noise import FRAMES, chosen_frames, flips_between, with_sensor_noise


def encoded(light: float) -> float:
    """IEC 61966-2-1, for light over 0.0031."""
    return 255 * (1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("level", [60, 128, 200])
def test_with_sensor_noise_varies_as_much_as_photons_and_reading_do(level) -> None:
    image = np.full((300, 300, 3), level, np.uint8)
    noisy = with_sensor_noise(image, np.random.default_rng(0)).astype(float)
    electrons = 2000 * ((level / 255 + 0.055) / 1.055) ** 2.4
    deviation = (electrons + 4.0**2) ** 0.5
    slope = (encoded((electrons + 1) / 2000) - encoded((electrons - 1) / 2000)) / 2  # levels for an electron
    expected = (slope**2 * deviation**2 + 1 / 12) ** 0.5  # and the rounding to whole levels
    assert noisy.std() == pytest.approx(expected, rel=0.03)
    assert noisy.mean() == pytest.approx(level, abs=0.2)
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 0.02
    assert (image == level).all()


def test_with_sensor_noise_at_the_ends_stays_within_the_levels() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[:25] = 255
    noisy = with_sensor_noise(image, np.random.default_rng(0))
    assert noisy.dtype == np.uint8
    assert noisy[:25].min() > 240
    assert noisy[25:].max() < 30


def test_with_sensor_noise_from_one_seed_is_the_same() -> None:
    image = np.full((8, 8, 3), 90, np.uint8)
    first, again, other = (with_sensor_noise(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_flips_between_counts_every_pair_of_repeats() -> None:
    old = [np.array([[0, 0]], np.uint8), np.array([[0, 1]], np.uint8), np.array([[0, 1]], np.uint8)]
    new = [np.array([[0, 0]], np.uint8), np.array([[1, 0]], np.uint8), np.array([[2, 0]], np.uint8)]
    assert flips_between(old, new) == Flicker(looked=6, old_flips=2, new_flips=3)


def test_chosen_frames_are_distinct_in_order_and_of_the_seed() -> None:
    assert chosen_frames(5, 0) == [0, 1, 2, 3, 4]
    chosen = chosen_frames(500, 1)
    assert (len(chosen), chosen) == (FRAMES, sorted(set(chosen)))
    assert chosen == chosen_frames(500, 1) != chosen_frames(500, 2)
