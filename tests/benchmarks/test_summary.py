"""What a summary of latencies shows, and what it withholds."""

import json

import numpy as np
import pytest

from benchmarks.summary import HISTOGRAM_BINS, histogram, latency_summary, spread, summary_rows


def test_latency_summary_withholds_p99_at_661_frames_and_shows_it_at_662():
    samples = np.arange(1.0, 663.0)
    short, enough = latency_summary(samples[:661]), latency_summary(samples)
    assert set(short["percentiles"]) == set(short["early_stopping"]) == {"p50", "p90"}
    assert short["withheld"] == {"p99": 662, "p99.9": 6636}
    assert enough["percentiles"] == {"p50": 331.0, "p90": 596.0, "p99": 656.0}
    assert enough["early_stopping"]["p99"] == 662.0
    assert enough["withheld"] == {"p99.9": 6636}


def test_latency_summary_is_json_and_its_estimates_are_no_lower_than_its_percentiles():
    summary = latency_summary(np.random.default_rng(0).lognormal(size=7000))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert list(summary["percentiles"]) == ["p50", "p90", "p99", "p99.9"]
    assert all(summary["early_stopping"][name] >= value for name, value in summary["percentiles"].items())


def test_latency_summary_of_one_frame_has_no_percentile():
    summary = latency_summary(np.array([4.0]))
    assert summary["percentiles"] == summary["early_stopping"] == {}
    assert (summary["min"], summary["mean"], summary["max"]) == (4.0, 4.0, 4.0)


def test_spread_leaves_out_what_has_too_few_samples():
    assert spread(np.array([])) == {}
    assert spread(np.zeros(11)) == {"p50": 0.0}


def test_histogram_counts_every_sample_once():
    samples = np.random.default_rng(0).lognormal(size=1000)
    counted = histogram(samples)
    assert sum(counted["counts"]) == 1000
    assert len(counted["edges_ms"]) == HISTOGRAM_BINS + 1
    assert (counted["edges_ms"][0], counted["edges_ms"][-1]) == (samples.min(), samples.max())


def test_histogram_of_equal_samples_counts_them_all():
    assert sum(histogram(np.full(7, 0.3))["counts"]) == 7


def test_histogram_bins_are_of_equal_ratio():
    edges = np.array(histogram(np.array([1.0, 2.0, 1000.0]))["edges_ms"])
    assert edges[1:] / edges[:-1] == pytest.approx(np.full(HISTOGRAM_BINS, 1000 ** (1 / HISTOGRAM_BINS)))


def test_summary_rows_show_what_is_known_and_what_is_withheld():
    rows = dict(summary_rows(latency_summary(np.arange(1.0, 101.0)), "age"))
    assert rows["age p90"] == "90.00 ms (with 99 % confidence at most 98.00)"  # binom.cdf(3, 100, 0.1) = 0.0078
    assert rows["age p99"] == "withheld: needs 662 frames"
    assert rows["age max"] == "100.00 ms"
    assert next(iter(rows)) == "age min, mean"
