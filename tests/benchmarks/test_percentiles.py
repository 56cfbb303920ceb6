"""Counts against scipy's binomial and the numbers that MLPerf names; values against numpy and by hand."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.percentiles import PERCENTS, early_stopping_estimate, percentile, samples_needed
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


def over(count, percent):
    """The largest number of samples, by scipy, that may lie above a limit that still holds for the percentile."""
    chances = binom.cdf(np.arange(count), count, 1 - float(percent) / 100)
    return int((chances <= 0.01).sum()) - 1


@pytest.mark.parametrize(("count", "discarded"), [(2048, 172), (2116, 178), (2145, 181), (7469, 685)])
def test_early_stopping_estimate_discards_as_many_as_mlperfs_own_logs(count, discarded):
    # "Processed at least 64 queries (2048). Would discard 172 highest latency queries.": published LoadGen summaries
    assert early_stopping_estimate(np.arange(1.0, count + 1), "90") == count - discarded


@pytest.mark.parametrize("percent", ["1", *PERCENTS])
@pytest.mark.parametrize("extra", [0, 1, 2, 50, 1000, 20_000])
def test_early_stopping_estimate_agrees_with_scipys_binomial(percent, extra):
    count = samples_needed(percent) + extra
    samples = np.random.default_rng(1).permutation(np.arange(1.0, count + 1))
    assert early_stopping_estimate(samples, percent) == count + 1 - over(count, percent)


@pytest.mark.parametrize("percent", PERCENTS)
def test_early_stopping_estimate_of_as_few_as_can_be_is_the_slowest(percent):
    samples = np.arange(float(samples_needed(percent)))
    assert early_stopping_estimate(samples, percent) == samples[-1]
    assert early_stopping_estimate(samples[1:], percent) is None


@pytest.mark.parametrize(("percent", "count"), [("50", 500), ("90", 500), ("99", 1500)])
def test_early_stopping_estimate_is_too_low_in_at_most_one_of_a_hundred_runs(percent, count):
    true = -np.log(1 - float(percent) / 100)  # of the exponential distribution
    runs = np.random.default_rng(2).exponential(size=(3000, count))
    too_low = sum(early_stopping_estimate(run, percent) < true for run in runs)
    assert too_low <= binom.ppf(0.9999, 3000, 0.01)
    plain = sum(percentile(run, percent) < true for run in runs)
    assert plain > 0.3 * 3000  # what the estimate is there for


def test_early_stopping_estimate_out_of_range_is_refused():
    with pytest.raises(UsageError, match="got '101'"):
        early_stopping_estimate(np.ones(10_000), "101")
