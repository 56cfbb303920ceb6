"""Blocks against the theory of a series whose memory is known, and against series measured again and again."""

import numpy as np
import pytest

from benchmarks.gates.resampling import block_length, resampled_medians


def with_memory(random, count, memory, series=1):
    """`series` runs of a first-order autoregression with normal noise, float64 [series, count]."""
    noise = random.normal(size=(series, count + 200))
    values = np.zeros_like(noise)
    for index in range(1, noise.shape[1]):
        values[:, index] = memory * values[:, index - 1] + noise[:, index]
    return values[:, 200:]


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_block_length_is_that_of_the_theory(memory):
    # signs of normal values with correlation r correlate by 2/pi arcsin(r) (Sheppard 1899); the length that minimises
    # the error is (2 G^2 / D)^(1/3) N^(1/3), G = sum |k| R(k), D = 4/3 (sum R(k))^2 (Patton, Politis and White 2009)
    count = 20_000
    lags = np.arange(1, 500)
    correlations = 2 / np.pi * np.arcsin(memory**lags)
    change, spread = 2 * (lags * correlations).sum(), 1 + 2 * correlations.sum()
    expected = (2 * change**2 / (4 / 3 * spread**2) * count) ** (1 / 3)
    random = np.random.default_rng(0)
    chosen = [block_length(one) for one in with_memory(random, count, memory, 10)]
    assert np.median(chosen) == pytest.approx(expected, rel=0.25)


def test_block_length_of_independent_samples_is_short():
    random = np.random.default_rng(0)
    assert np.median([block_length(random.normal(size=500)) for _ in range(50)]) == 1


@pytest.mark.parametrize("series", [[5.0], [5.0] * 50], ids=["one", "all the same"])
def test_block_length_of_a_series_that_never_moves_is_1(series):
    assert block_length(np.array(series)) == 1


def test_block_length_of_a_trend_is_held_below_a_third():
    assert block_length(np.arange(60.0)) <= 20


def test_resampled_medians_spread_as_the_medians_of_series_measured_again():
    random = np.random.default_rng(1)
    many = with_memory(random, 800, 0.9, 300)
    truth = np.median(many, axis=1).std()
    chosen = np.mean([resampled_medians(one, block_length(one), 400, random).std() for one in many[:60]])
    single = np.mean([resampled_medians(one, 1, 400, random).std() for one in many[:60]])
    assert 0.75 < chosen / truth < 1.1
    assert single / truth < 0.5  # single frames, drawn as if independent, would promise more than twice too much


@pytest.mark.parametrize("count", [1, 6, 7])
def test_resampled_medians_of_whole_series_are_numpys_median(count):
    series = np.random.default_rng(2).normal(size=count)
    drawn = resampled_medians(series, count, 5, np.random.default_rng(0))
    assert drawn == pytest.approx([np.median(series)] * 5)


def test_resampled_medians_keep_neighbours_together():
    # blocks of 3 from 0 1 2 3 4 5, two of them: only sums of neighbours can occur
    drawn = resampled_medians(np.arange(6.0), 3, 200, np.random.default_rng(0))
    possible = {float(np.median([a, a + 1, a + 2, b, b + 1, b + 2])) for a in range(4) for b in range(4)}
    assert set(drawn) == possible
