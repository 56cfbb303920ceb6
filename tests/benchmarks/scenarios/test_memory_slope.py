"""The slope against scipy's, its error against what slopes of simulated memories really scatter by."""

import numpy as np
import pytest
from scipy.stats import linregress

from benchmarks.scenarios.memory_slope import memory_slope

AT = np.arange(0, 10_000, 20)
SURE = 3.0


def walks(count, seed=0, drift=0.0):
    steps = np.random.default_rng(seed).normal(drift, 4096, (count, len(AT)))
    return np.cumsum(steps, axis=1).astype(np.int64)


def test_memory_slope_is_scipys():
    values = walks(1)[0]
    assert memory_slope(AT, values)[0] == pytest.approx(linregress(AT, values).slope, rel=1e-9)


def test_memory_slope_weights_are_those_of_a_line_through_the_parts():
    # ten flat parts: each change between two of them moves scipy's slope through the ten means by its own weight
    place = np.arange(10)
    for change in range(1, 10):
        step = (place >= change) * 1.0
        weight = 6 * change * (10 - change) / (10 * 99)
        assert linregress(place, step).slope == pytest.approx(weight)


def test_memory_slope_error_is_the_scatter_of_the_slopes_of_random_walks():
    slopes, errors = np.array([memory_slope(AT, values) for values in walks(1000)]).T
    assert np.sqrt((errors**2).mean()) == pytest.approx(slopes.std(), rel=0.15)
    # least squares' own error would call most of them growth or shrinkage
    own = np.array([linregress(AT, values).stderr for values in walks(100)])
    assert (np.abs(slopes[:100]) > SURE * own).mean() > 0.5
    assert (np.abs(slopes) > SURE * errors).mean() < 0.05


def test_memory_slope_error_is_not_too_small_where_readings_scatter_about_a_line():
    values = np.random.default_rng(1).normal(0, 1e5, (200, len(AT))).astype(np.int64)
    slopes, errors = np.array([memory_slope(AT, each) for each in values]).T
    assert errors.mean() > slopes.std()


@pytest.mark.parametrize("where", [60, 130, 250, 260, 371, 449])
def test_memory_slope_of_one_step_is_not_sure(where):
    values = np.where(np.arange(len(AT)) < where, 100_000_000, 101_048_576)
    slope, error = memory_slope(AT, values)
    assert slope > SURE * linregress(AT, values).stderr  # what least squares would say
    assert slope < SURE * error


def test_memory_slope_of_a_steady_leak_in_pages_is_sure():
    values = AT // 1000 * 4096 + 90_000_000
    slope, error = memory_slope(AT, values)
    assert slope == pytest.approx(4.096, rel=0.02)
    assert slope > 10 * error


def test_memory_slope_of_a_leak_under_noise_is_sure():
    noise = np.random.default_rng(2).normal(0, 8192, len(AT)).astype(np.int64) // 4096 * 4096
    slope, error = memory_slope(AT, AT // 1000 * 4096 + noise)
    assert slope == pytest.approx(4.096, abs=3 * error)
    assert slope > SURE * error


def test_memory_slope_of_what_stays_is_nothing():
    assert memory_slope(AT, np.full(len(AT), 77_000_000)) == (0.0, 0.0)
