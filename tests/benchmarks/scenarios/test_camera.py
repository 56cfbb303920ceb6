"""The camera scenario as a whole, its settings, and the rule of its headline."""

import json

import pytest

from benchmarks.scenarios.camera import CameraSettings, camera_rows, holds, measure_camera
from benchmarks.scenarios.load import Load
from runtime.errors import UsageError

from .known_times import FRAMES, KnownTimes


def test_measure_camera_of_a_fast_file_holds_the_pace():
    # a pace and a budget that a machine that stalls for two tenths of a second holds, too
    told, settings = [], CameraSettings(rate_hz=4, budget_ms=2000, frames=8, warmup=2, back_to_back=64, cameras=2)
    segmenter = KnownTimes([1.0])
    result = measure_camera(segmenter, FRAMES, settings, told.append)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert segmenter.calls == 2 + 64 + 16 + 16
    assert sum(told) == settings.steps == 64 + 32
    assert (result["rate_hz"], result["budget_ms"], result["cameras"]) == (4, 2000, 2)
    assert result["load"] == {"cpu": 0, "gpu": 0.0}
    assert (result["every"]["frames"], result["newest"]["frames"], result["every"]["misses"]) == (16, 16, 0)
    assert result["back_to_back"]["percentiles"].keys() == {"p50", "p90"}
    assert result["holds"] is True
    rows = dict(camera_rows(result))
    assert rows["pace"] == "2 cameras at 4 Hz, budget 2000.0 ms"
    assert rows["every frame missed"] == "0 of 16"
    assert rows["newest ended"] == "16 ok, 0 late, 0 dropped, 0 stale, 0 invalid, 0 failed, of 16"
    assert rows["holds the pace"] == "yes"
    assert "load beside it" not in rows


def test_measure_camera_of_a_slow_file_beside_a_load_does_not_hold_it():
    settings = CameraSettings(rate_hz=100, frames=15, back_to_back=1, load=Load(cpu=1))
    result = measure_camera(KnownTimes([25.0]), FRAMES, settings)
    assert result["budget_ms"] == 10.0
    assert result["every"]["misses"] == 15
    assert result["every"]["latency_ms"]["max"] > 25 + 14 * 15  # the backlog grows by 15 ms a frame
    assert result["newest"]["dropped"] + result["newest"]["stale"] > 5  # it does not where old frames are left out
    assert result["holds"] is False
    rows = dict(camera_rows(result))
    assert rows["load beside it"] == "1 busy processes, 0 % of the GPU"
    assert rows["back to back"].startswith("at most 2")
    assert rows["every frame, begun late by"] == "too few frames were waited for"


@pytest.mark.parametrize(
    ("frames", "misses", "ok", "held"),
    [
        (1000, 0, 1000, True),
        (1000, 1, 999, True),
        (1000, 2, 1000, False),
        (1000, 0, 998, False),
        (999, 1, 999, False),
        (999, 0, 998, False),
        (999, 0, 999, True),
    ],
)
def test_holds_allows_one_frame_in_a_thousand_in_each_pass(frames, misses, ok, held):
    every = {"frames": frames, "misses": misses, "invalid": 0}
    assert holds(every, {"frames": frames, "ok": ok}) is held


def test_holds_counts_answers_that_are_none_as_missed():
    newest = {"frames": 1000, "ok": 1000}
    assert holds({"frames": 1000, "misses": 0, "invalid": 1}, newest)
    assert not holds({"frames": 1000, "misses": 0, "invalid": 2}, newest)


def test_measure_camera_of_a_file_for_batches_is_refused():
    with pytest.raises(UsageError, match=r"known\.onnx: .*got one for 4"):
        measure_camera(KnownTimes([], batch=4), FRAMES, CameraSettings())


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"rate_hz": 0.0}, "got 0.0 and 33.3"),
        ({"rate_hz": float("nan")}, "got nan"),
        ({"rate_hz": 1001.0}, "got 1001.0"),
        ({"budget_ms": 0.0}, "got 30.0 and 0.0"),
        ({"cameras": 65}, "got 65, 1000, 200 and 20"),
        ({"frames": 0}, "got 1, 0, 200 and 20"),
        ({"back_to_back": 0}, "got 1, 1000, 0 and 20"),
        ({"warmup": -1}, "got 1, 1000, 200 and -1"),
    ],
)
def test_camera_settings_out_of_range_are_refused(changes, shown):
    with pytest.raises(UsageError, match=shown):
        CameraSettings(**{"budget_ms": 33.3} | changes)
    assert CameraSettings(rate_hz=0.5).deadline_ms == 2000.0
