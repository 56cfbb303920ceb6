"""Against scipy's bootstrap and a case worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.peers.ratio import paired_ratio
from runtime.errors import UsageError


def test_paired_ratio_is_that_of_the_medians_of_all_calls():
    peer_ms, ours_ms = np.array([[10.0, 30.0], [20.0, 90.0]]), np.array([[5.0, 10.0], [15.0, 1.0]])
    assert paired_ratio(peer_ms, ours_ms, seed=0).median == pytest.approx(25.0 / 7.5)


def test_paired_ratio_of_a_constant_ratio_has_an_interval_of_no_width():
    ours_ms = np.repeat(np.random.default_rng(0).uniform(5, 50, (20, 1)), 3, axis=1)  # the machine changes by rounds
    ratio = paired_ratio(1.25 * ours_ms, ours_ms, seed=0)
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((1.25, 1.25, 1.25))


def test_paired_ratio_interval_agrees_with_scipy():
    generator = np.random.default_rng(3)
    ours_ms = generator.gamma(20, 0.5, (30, 5))
    peer_ms = 1.1 * generator.gamma(20, 0.5, (30, 5))

    def statistic(rounds):
        return np.median(peer_ms[rounds]) / np.median(ours_ms[rounds])

    theirs = stats.bootstrap(
        (np.arange(30),), statistic, vectorized=False, method="percentile", n_resamples=4000, rng=generator
    ).confidence_interval
    ours = paired_ratio(peer_ms, ours_ms, seed=1, resamples=4000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)  # of a width of 0.15
    assert theirs.high - theirs.low > 0.08


def test_paired_ratio_of_one_seed_is_the_same():
    peer_ms, ours_ms = np.random.default_rng(0).gamma(20, 0.5, (2, 9, 4))
    first, again, other = (paired_ratio(peer_ms, ours_ms, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("peer", "ours"), [((1, 5), (1, 5)), ((3, 5), (4, 5)), ((6,), (6,))])
def test_paired_ratio_without_two_rounds_of_both_is_refused(peer, ours):
    with pytest.raises(UsageError, match=rf"got times of shape \({peer[0]},.*\({ours[0]},"):
        paired_ratio(np.ones(peer), np.ones(ours), seed=0)
