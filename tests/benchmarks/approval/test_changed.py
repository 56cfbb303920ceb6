import math

import numpy as np
import pytest

from benchmarks.approval.changed import ChangedPixels, Tendency


def frame(*rows):
    return [np.array([row], np.uint8) for row in rows]


def test_changed_pixels_of_a_known_half_percent_read_half_a_percent() -> None:
    random = np.random.default_rng(0)
    changed = ChangedPixels()
    for _ in range(20):
        truth = random.integers(0, 7, (100, 100)).astype(np.uint8)
        flipped = truth.copy()
        places = random.choice(truth.size, 50, replace=False)
        flipped.flat[places] = (flipped.flat[places] + 1) % 7
        changed.add(truth, truth, flipped)
    assert 100 * changed.share == pytest.approx(0.5)
    assert changed.total() == Tendency(better=0, worse=1000, neither=0)


def test_changed_pixels_are_told_apart_by_the_truth() -> None:
    changed = ChangedPixels()
    changed.add(*frame([0, 0, 0, 0, 1, 255], [0, 1, 0, 1, 255, 0], [0, 0, 1, 2, 1, 1]))
    changed.add(*frame([0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 255]))
    assert changed.pixels == 11  # the ignored one is not looked at
    assert changed.pairs() == [
        (1, 0, Tendency(better=2, worse=0, neither=0)),
        (0, 1, Tendency(better=0, worse=1, neither=0)),
        (1, 2, Tendency(better=0, worse=0, neither=1)),
        (1, 255, Tendency(better=0, worse=1, neither=0)),
        (255, 1, Tendency(better=1, worse=0, neither=0)),
    ]
    assert changed.total() == Tendency(better=3, worse=2, neither=1)
    assert changed.share == 6 / 11


def test_changed_pixels_without_a_truth_have_no_share() -> None:
    changed = ChangedPixels()
    changed.add(*frame([255, 255], [0, 1], [1, 0]))
    assert math.isnan(changed.share)
    assert changed.pairs() == []
