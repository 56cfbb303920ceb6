"""One fact changed at a time: each must be named with both its values."""

from pathlib import Path, PurePosixPath

import pytest

from benchmarks.gates.comparable import differences, require_comparable
from runtime.errors import UsageError

BASELINE = Path("baseline.json")


def changed(record, path, value):
    *parents, last = path
    target = record
    for key in parents:
        target = target[key]
    target[last] = value
    return record


def test_differences_of_one_setting_and_another_file_are_none(make_record):
    new = changed(make_record([9.0]), ("files", 0, "sha256"), "cd" * 32)
    changed(new, ("files", 0, "file"), "other.onnx")
    changed(new, ("files", 0, "placement", "versions", "numpy"), "2.5")
    assert differences(make_record(), new) == []
    assert require_comparable(make_record(), new, BASELINE, allow_different=False) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("machine", "cpu"), "Other CPU", "CPU: Some CPU | Other CPU"),
        (("machine", "cpu_flags"), ["avx2"], "CPU flags: avx2, fma | avx2"),
        (("machine", "cores_usable"), 4, "usable cores: 2 | 4"),
        (("machine", "governor"), None, "governor: performance | unknown"),
        (("machine", "gpus"), ["T4, 570.1, 15360 MiB"], "GPU, driver and memory: none | T4, 570.1, 15360 MiB"),
        (("machine", "packages", "onnxruntime"), "1.30", "onnxruntime: 1.31.1 | 1.30"),
        (("state", "before", "power_source"), "battery", "power source: mains | battery"),
        (("files", 0, "provider"), "cuda", "provider: cpu | cuda"),
        (("files", 0, "threads"), 1, "threads: 2 | 1"),
        (("files", 0, "precision"), "fp32", "precision: int8 | fp32"),
        (("files", 0, "width_px"), 128, "width in px: 256 | 128"),
        (("files", 0, "height_px"), 128, "height in px: 256 | 128"),
        (("files", 0, "batch"), 4, "frames a call: 1 | 4"),
        (("files", 0, "options", "spinning"), False, "option spinning: True | False"),
        (("files", 0, "options", "engine_cache"), PurePosixPath("/a"), "option engine_cache: unknown | /a"),
        (("files", 0, "placement", "versions", "cudnn"), "9.1", "cudnn: unknown | 9.1"),
    ],
)
def test_require_comparable_names_each_difference_with_both_values(make_record, path, value, line):
    new = changed(make_record(), path, value)
    assert differences(make_record(), new) == [line]
    assert require_comparable(make_record(), new, BASELINE, allow_different=True) == [line]
    with pytest.raises(UsageError, match=r"^baseline\.json: .*--allow-different$") as caught:
        require_comparable(make_record(), new, BASELINE, allow_different=False)
    assert line in str(caught.value)


def test_differences_of_a_gpu_are_its_power_state_and_limits(make_record):
    gpu = {"index": "0", "power_state": "P0", "clock_sm_max_mhz": 1980.0, "power_limit_w": 700.0, "temperature_c": 40.0}
    old, new = make_record(), make_record()
    old["state"]["after"] = {"gpus": [gpu]}
    new["state"]["after"] = {"gpus": [gpu | {"power_state": "P8", "power_limit_w": 350.0, "temperature_c": 60.0}]}
    assert differences(old, new) == ["GPU 0, power state: P0 | P8", "GPU 0, power limit in W: 700.0 | 350.0"]


def test_differences_take_tuples_as_the_lists_that_they_were_written_as(make_record):
    old = changed(make_record(), ("files", 0, "camera"), {"crop": [0, 0, 4, 4]})
    new = changed(make_record(), ("files", 0, "camera"), {"crop": (0, 0, 4, 4)})
    assert differences(old, new) == []


def test_differences_of_cameras_are_their_rates(make_record):
    new = changed(make_record(scenario="camera"), ("results", 0, "rate_hz"), 10.0)
    assert differences(make_record(scenario="camera"), new) == ["rate in Hz: 30.0 | 10.0"]


def test_differences_among_several_files_say_which(make_record):
    old, new = make_record(), make_record()
    for record, provider in ((old, "cpu"), (new, "cuda")):
        record["files"].append(record["files"][0] | {"provider": provider})
    assert differences(old, new) == ["file 2, provider: cpu | cuda"]


@pytest.mark.parametrize("allow_different", [True, False])
def test_require_comparable_never_takes_another_scenario_or_number_of_files(make_record, allow_different):
    with pytest.raises(UsageError, match=r"scenario: camera \| single-stream"):
        require_comparable(make_record(scenario="camera"), make_record(), BASELINE, allow_different=allow_different)
    new = make_record()
    new["files"] *= 2
    with pytest.raises(UsageError, match=r"number of files: 1 \| 2"):
        require_comparable(make_record(), new, BASELINE, allow_different=allow_different)
