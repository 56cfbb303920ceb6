"""What nvidia-smi prints, as recorded texts; and how it is asked, with nvidia-smi played by the test."""

import subprocess

import pytest

from benchmarks.gpu_state import gpu_states, parse_gpus

LINE = "0, 1980, 1980, P0, 34, 118.59, 700.00"


def test_parse_gpus_reads_numbers_and_reasons():
    assert parse_gpus(f"{LINE}, 0x0000000000000044\n\n1, 345, 1980, P8, 30, 70, 700, 0x0000000000000001\n") == [
        {
            "index": "0",
            "clock_sm_mhz": 1980.0,
            "clock_sm_max_mhz": 1980.0,
            "power_state": "P0",
            "temperature_c": 34.0,
            "power_w": 118.59,
            "power_limit_w": 700.0,
            "throttle_reasons": ["power cap", "hardware thermal slowdown"],
        },
        {
            "index": "1",
            "clock_sm_mhz": 345.0,
            "clock_sm_max_mhz": 1980.0,
            "power_state": "P8",
            "temperature_c": 30.0,
            "power_w": 70.0,
            "power_limit_w": 700.0,
            "throttle_reasons": ["idle"],
        },
    ]


def test_parse_gpus_of_what_a_board_does_not_tell_is_none():
    told = parse_gpus("0, [N/A], [Not Supported], [N/A], [N/A], nan, [N/A], [N/A]")[0]
    assert told.pop("index") == "0"
    assert set(told.values()) == {None}


@pytest.mark.parametrize(("mask", "reasons"), [("0x0", []), ("0x200", ["reason 0x200"])])
def test_parse_gpus_names_a_reason_that_it_does_not_know(mask, reasons):
    assert parse_gpus(f"{LINE}, {mask}")[0]["throttle_reasons"] == reasons


@pytest.mark.parametrize(
    ("known", "asked", "reasons"),
    [
        ({"clocks_event_reasons.active", "clocks_throttle_reasons.active"}, 1, ["power cap"]),
        ({"clocks_throttle_reasons.active"}, 2, ["power cap"]),  # a driver before 535
        (set(), 3, None),
    ],
)
def test_gpu_states_ask_by_the_name_that_the_driver_knows(monkeypatch, known, asked, reasons):
    queries = []

    def run(command, **_options):
        queries.append(command)
        last = command[1].rsplit(",", 1)[1]
        if "reasons" in last and last not in known:
            return subprocess.CompletedProcess(command, 2, f'Field "{last}" is not a valid field to query.\n', "")
        return subprocess.CompletedProcess(command, 0, LINE + (", 0x4" if "reasons" in last else ""), "")

    monkeypatch.setattr(subprocess, "run", run)
    assert [gpu["throttle_reasons"] for gpu in gpu_states()] == [reasons]
    assert len(queries) == asked


@pytest.mark.parametrize("error", [FileNotFoundError("nvidia-smi"), subprocess.TimeoutExpired("nvidia-smi", 20)])
def test_gpu_states_without_nvidia_smi_are_none(monkeypatch, error):
    def run(*_args, **_options):
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert gpu_states() == []
