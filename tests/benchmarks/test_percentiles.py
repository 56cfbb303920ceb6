"""Counts against scipy's binomial and the numbers that MLPerf names; values against numpy and by hand."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.percentiles import PERCENTS, percentile, samples_needed
from runtime.errors import UsageError


@pytest.mark.parametrize(("percent", "count"), [("90", 64), ("99", 662), ("99.9", 6636)])
def test_samples_needed_for_mlperfs_percentiles_gives_mlperfs_counts(percent, count):
    assert samples_needed(percent) == count


@pytest.mark.parametrize("percent", ["1", "50", "75", "90", "95", "99", "99.9"])
def test_samples_needed_agrees_with_scipys_binomial(percent):
    above = 1 - float(percent) / 100
    count = samples_needed(percent)
    assert binom.cdf(1, count, above) <= 0.01
    assert count == 2 or binom.cdf(1, count - 1, above) > 0.01


def test_percentile_one_sample_short_is_withheld():
    samples = np.arange(1.0, 663.0)
    assert percentile(samples[:661], "99") is None
    assert percentile(samples, "99") == 656.0  # ceil(0.99 * 662) = 656


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.parametrize("count", [6637, 7001, 9999])
def test_percentile_agrees_with_numpys_nearest_rank(percent, count):
    samples = np.random.default_rng(3).lognormal(size=count)
    assert percentile(samples, percent) == np.percentile(samples, float(percent), method="inverted_cdf")


@pytest.mark.parametrize("count", [7000, 10_000])
def test_percentile_where_the_rank_is_whole_is_not_a_rank_too_high(count):
    # 99.9 % of 7000 is the sample of rank 6993; in floats the product is above it, and numpy answers 6994
    assert percentile(np.arange(1.0, count + 1), "99.9") == count * 999 // 1000


def test_percentile_of_shuffled_samples_is_a_measured_one():
    samples = np.random.default_rng(0).permutation(np.repeat([5.0, 90.0], [90, 10]))
    assert percentile(samples, "90") == 5.0
    assert percentile(samples, "50") == 5.0


@pytest.mark.parametrize("percent", ["0", "100", "-1", "p99", "", "1/0", "nan"])
def test_percentile_out_of_range_is_refused(percent):
    with pytest.raises(UsageError, match=f"got {percent!r}"):
        percentile(np.ones(10_000), percent)
