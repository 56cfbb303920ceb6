"""A run thinned out, by hand."""

import numpy as np
import pytest

from benchmarks.scenarios.timeline import MOST_POINTS, timeline


@pytest.mark.parametrize("count", [0, 1, 999, MOST_POINTS])
def test_timeline_of_few_frames_keeps_them_all(count):
    samples = np.random.default_rng(0).uniform(1, 9, count).round(3)
    assert timeline(np.arange(count) / 8, samples) == {"t_s": (np.arange(count) / 8).tolist(), "ms": samples.tolist()}


def test_timeline_of_many_frames_keeps_the_worst_of_each_bin():
    samples = np.full(12_345, 2.0)
    slow = [0, 777, 6000, 12_344]
    samples[slow] = [40.0, 41.0, 42.0, 43.0]
    thinned = timeline(np.arange(12_345) / 100, samples)
    assert len(thinned["t_s"]) == len(thinned["ms"]) == MOST_POINTS
    kept = dict(zip(thinned["t_s"], thinned["ms"], strict=True))
    assert {time: value for time, value in kept.items() if value > 2} == {
        0.0: 40.0,
        7.77: 41.0,
        60.0: 42.0,
        123.44: 43.0,
    }
    assert thinned["t_s"] == sorted(thinned["t_s"])
