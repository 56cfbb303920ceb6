"""Counts, durations and samples of a known schedule."""

import json

import numpy as np
import pytest

from benchmarks.scenarios.single_stream import SingleStreamSettings, measure_single_stream, single_stream_rows
from runtime.errors import UsageError

from .known_times import FRAMES, KnownTimes


def test_measure_single_stream_measures_as_many_as_asked_and_keeps_each():
    segmenter, told = KnownTimes([0.0, 0.0, 2.0]), []
    result = measure_single_stream(segmenter, FRAMES, SingleStreamSettings(frames=230, warmup=3), told.append)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert segmenter.calls == 233
    assert told == [100, 100, 30]
    assert (result["frames"], len(result["samples_ms"])) == (230, 230)
    assert (np.array(result["samples_ms"])[2::3] >= 2).all()
    assert result["latency_ms"]["percentiles"]["p50"] < 2 <= result["latency_ms"]["percentiles"]["p90"]
    assert result["frames_per_s"] == pytest.approx(230 / result["wall_s"])


def test_measure_single_stream_goes_on_until_the_time_is_over():
    result = measure_single_stream(KnownTimes([1.0]), FRAMES, SingleStreamSettings(frames=5, min_duration_s=0.15))
    assert result["wall_s"] >= 0.15
    assert result["frames"] > 5
    assert result["frames"] == len(result["samples_ms"]) == sum(result["latency_ms"]["histogram"]["counts"])


def test_measure_single_stream_takes_the_first_frame_apart():
    result = measure_single_stream(KnownTimes([20.0, *[0.0] * 11]), FRAMES, SingleStreamSettings(frames=11, warmup=1))
    assert result["first_frame_ms"] >= 20 > result["latency_ms"]["max"]
    without = measure_single_stream(KnownTimes([]), FRAMES, SingleStreamSettings(frames=1, warmup=0))
    assert without["first_frame_ms"] is None


def test_measure_single_stream_uses_frames_in_turn_across_its_stretches(stub_segmenter):
    segmenter = stub_segmenter()
    measure_single_stream(segmenter, FRAMES, SingleStreamSettings(frames=230, warmup=0))
    assert [int(frame[0, 0, 0]) for frame in segmenter.seen] == ([40, 90, 140] * 77)[:230]


def test_measure_single_stream_of_a_file_for_batches_counts_every_frame():
    batches = [np.zeros((4, 4, 6, 3), np.uint8)]
    result = measure_single_stream(KnownTimes([1.0], batch=4), batches, SingleStreamSettings(frames=20, warmup=0))
    assert (result["frames"], result["batch"]) == (20, 4)
    assert result["frames_per_s"] == pytest.approx(80 / result["wall_s"])


def test_single_stream_rows_say_what_was_measured_and_what_is_withheld():
    bad = [*FRAMES, np.full((4, 6, 3), 255, np.uint8)]
    rows = dict(single_stream_rows(measure_single_stream(KnownTimes([]), bad, SingleStreamSettings(frames=64))))
    assert rows["measured"].startswith("64 calls in ")
    assert rows["no valid answer"] == "16 of 64 calls"
    assert rows["p90"].endswith(")")
    assert rows["p99"] == "withheld: needs 662 frames"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"frames": 0}, "got 0, 0.0 and 20"),
        ({"min_duration_s": -1.0}, "got 1000, -1.0 and 20"),
        ({"min_duration_s": float("nan")}, "got 1000, nan and 20"),
        ({"warmup": -1}, "got 1000, 0.0 and -1"),
    ],
)
def test_single_stream_settings_out_of_range_are_refused(changes, shown):
    with pytest.raises(UsageError, match=shown):
        SingleStreamSettings(**changes)
