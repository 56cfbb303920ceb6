"""The real Stream under a segmenter of known times: what is late, left out and counted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scenarios.newest import OUTCOMES, require_all_ended, run_newest
from runtime.errors import DeviceError
from runtime.stream import CameraCounts

from .known_times import FRAMES, KnownTimes

HUNDRED = CameraCounts(submitted=100, ok=90, late=4, dropped=3, stale=2, invalid=1, failed=0, pending=0, flagged={})
TOLD = {"ok": 90, "late": 4, "dropped": 3, "stale": 2, "invalid": 1}


def ran(schedule_ms, frames=FRAMES, **changes):
    pace = {"rate_hz": 100.0, "budget_ms": 60.0, "max_age_ms": 180.0, "frames_each": 40, "cameras": 1} | changes
    return run_newest(KnownTimes(schedule_ms), frames, **pace)


def ran_at_leisure(frames=FRAMES, **changes):
    """Twelve frames a camera and a fast file: a machine that stalls for two tenths of a second changes no count."""
    pace = {"rate_hz": 4.0, "budget_ms": 2000.0, "max_age_ms": 4000.0, "frames_each": 12}
    return ran([1.0], frames, **pace, **changes)


def test_run_newest_of_a_fast_file_answers_every_frame_in_time():
    told = []
    result = ran_at_leisure(advance=told.append)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["frames"], result["ok"], result["per_camera"]) == (12, 12, {})
    assert sum(told) == 12
    assert result["age_ms"]["min"] >= 1.0
    assert len(result["timeline"]["ms"]) == 12
    assert result["timeline"]["t_s"][-1] == pytest.approx(2.75)
    assert result["jitter_ms"]["p50"] >= 0


def test_run_newest_of_a_slow_file_leaves_out_frames_and_accounts_for_each():
    result = ran([50.0], budget_ms=20.0)
    assert result["dropped"] > 20  # five captures in the time of one run
    assert result["ok"] == 0
    assert result["late"] >= 4
    assert sum(result[outcome] for outcome in OUTCOMES) == result["frames"] == 40
    assert result["age_ms"]["min"] >= 50.0
    assert len(result["timeline"]["ms"]) == result["late"]


def test_run_newest_of_several_cameras_counts_each():
    result = ran_at_leisure(cameras=3)
    assert (result["frames"], result["ok"]) == (36, 36)
    assert {name: each["ok"] for name, each in result["per_camera"].items()} == dict.fromkeys(
        ("camera1", "camera2", "camera3"), 12
    )
    assert result["age_ms"]["max"] >= 3.0  # the last of three that came at once


def test_run_newest_whose_turn_comes_too_late_is_stale():
    result = ran([40.0], cameras=4, frames_each=10, max_age_ms=60.0, budget_ms=20.0)
    assert result["stale"] > 0  # the fourth waits 120 ms for the three before it
    assert sum(result[outcome] for outcome in OUTCOMES) == 40


def test_run_newest_counts_answers_that_are_not_valid():
    bad = [*FRAMES, np.full((4, 6, 3), 255, np.uint8)]
    result = ran_at_leisure(bad)
    assert (result["ok"], result["invalid"]) == (9, 3)


def test_run_newest_without_an_answer_says_why():
    def fail(_):
        raise DeviceError("device 7 fell off")

    with pytest.raises(DeviceError, match=r"known\.onnx: .*of 5 frames, got none: device 7 fell off"):
        run_newest(KnownTimes([], act=fail), FRAMES, rate_hz=200, budget_ms=20, max_age_ms=60, frames_each=5, cameras=1)


def test_require_all_ended_lets_pass_what_adds_up():
    require_all_ended({"camera1": HUNDRED}, TOLD, 100)


@pytest.mark.parametrize(
    ("changes", "told", "shown"),
    [
        ({"dropped": 2}, TOLD, "camera1: expected 100 frames in and ended, .*dropped=2"),
        ({"submitted": 99}, TOLD, "camera1: expected 100 frames .*submitted=99"),
        ({"dropped": 2, "pending": 1}, TOLD, "pending=1"),
        ({}, TOLD | {"late": 3}, "told of .*'late': 4.*was told of .*'late': 3"),
    ],
)
def test_require_all_ended_refuses_what_does_not_add_up(changes, told, shown):
    with pytest.raises(DeviceError, match=shown):
        require_all_ended({"camera1": replace(HUNDRED, **changes)}, told, 100)
