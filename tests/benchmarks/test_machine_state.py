"""States read from files laid out as Linux has them, parsers against recorded texts, notes from states by hand."""

import json
import os
import types

import pytest

from benchmarks import machine_state as module
from benchmarks.machine_state import machine_state, parse_clocks, parse_stolen, throttle_notes

CPUINFO = """processor\t: 0
model name\t: Some CPU
cpu MHz\t\t: 2596.146

processor\t: 1
cpu MHz\t\t: 800.5
"""
STAT = """cpu  6334174 359155 697205 2275695 32485 0 7575 11250 0 0
cpu0 3054869 114228 311957 1359416 10667 0 545 5570 0 0
cpu1 3279304 244926 385248 916279 21818 0 7029 5680 0 0
intr 1 2 3
"""
CALM = {
    "uptime_s": 100.0,
    "load_average": [0.1, 0.1, 0.1],
    "clock_mhz": {"min": 800.0, "max": 3900.0},
    "clock_boost_mhz": 4000.0,
    "governor": "performance",
    "throttled": {"core": 5, "package": 2},
    "stolen_s": 10.0,
    "memory_available_mb": 1000.0,
    "power_source": "mains",
    "gpus": [],
}
GPU = {
    "index": "0",
    "clock_sm_mhz": 1980.0,
    "clock_sm_max_mhz": 1980.0,
    "power_state": "P0",
    "temperature_c": 40.0,
    "power_w": 300.0,
    "power_limit_w": 700.0,
    "throttle_reasons": [],
}
NOTHING = dict.fromkeys(CALM) | {"gpus": []}


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """Writes files under a made-up /proc and /sys, where this process may use cores 0 and 2."""
    for name, folder in (("CPUS", "cpu"), ("POWER_SUPPLIES", "power"), ("PROC", "proc")):
        monkeypatch.setattr(module, name, tmp_path / folder)
    monkeypatch.setattr(module, "gpu_states", list)
    own = {"sched_getaffinity": lambda _pid: {2, 0}, "sysconf": lambda _name: 100, "cpu_count": os.cpu_count}
    monkeypatch.setattr(module, "os", types.SimpleNamespace(**own))

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    return write


def cpufreq(core, khz, governor="schedutil"):
    folder = f"cpu/cpu{core}"
    return {
        f"{folder}/cpufreq/scaling_cur_freq": f"{khz}\n",
        f"{folder}/cpufreq/cpuinfo_max_freq": "4000000\n",
        f"{folder}/cpufreq/scaling_governor": f"{governor}\n",
        f"{folder}/thermal_throttle/core_throttle_count": f"{core + 1}\n",
        f"{folder}/thermal_throttle/package_throttle_count": "7\n",
    }


def test_machine_state_reads_the_usable_cores(linux):
    files = cpufreq(0, 3500000) | cpufreq(1, 100000, "powersave") | cpufreq(2, 1200000, "performance")
    linux(files | {"proc/uptime": "48997.06 12.5\n", "proc/meminfo": "MemAvailable: 500000 kB\n"})
    state = machine_state()
    assert state["clock_mhz"] == {"min": 1200.0, "max": 3500.0}
    assert state["clock_boost_mhz"] == 4000.0
    assert state["governor"] == "performance, schedutil"
    assert state["throttled"] == {"core": 1 + 3, "package": 7}
    assert state["uptime_s"] == 48997.06
    assert state["memory_available_mb"] == 512.0


def test_machine_state_of_a_virtual_machine_takes_clocks_from_cpuinfo(linux):
    linux({"proc/cpuinfo": CPUINFO, "proc/stat": STAT.replace("cpu1", "cpu2")})
    state = machine_state()
    assert state["clock_mhz"] == {"min": 2596.146, "max": 2596.146}  # core 1 is another's
    assert state["clock_boost_mhz"] is None
    assert state["stolen_s"] == pytest.approx(112.5)


def test_machine_state_of_nothing_readable_invents_nothing(linux, monkeypatch):
    monkeypatch.setattr(module, "load_average", lambda: None)
    assert machine_state() == NOTHING


def test_machine_state_of_this_machine_is_json():
    state = machine_state()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert set(state) == set(CALM)


@pytest.mark.parametrize(("online", "source"), [("1", "mains"), ("0", "battery")])
def test_machine_state_says_what_feeds_it(linux, online, source):
    linux({"power/AC/type": "Mains\n", "power/AC/online": f"{online}\n", "power/BAT0/type": "Battery\n"})
    assert machine_state()["power_source"] == source


def test_parse_clocks_names_each_core():
    assert parse_clocks(CPUINFO) == {0: 2596.146, 1: 800.5}
    assert parse_clocks("processor\t: 0\nBogoMIPS\t: 50.00\n") == {}


@pytest.mark.parametrize(
    ("cores", "expected"), [((0,), 55.7), ((0, 1), 112.5), ((0, 7), None), ((), None)], ids=["one", "two", "7", "none"]
)
def test_parse_stolen_adds_up_the_cores(cores, expected):
    assert parse_stolen(STAT, cores, 100) == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("state", [CALM, NOTHING], ids=["calm", "unreadable"])
def test_throttle_notes_of_a_calm_run_are_none(state):
    assert throttle_notes(state, state) == []
    assert throttle_notes(state, state | {"gpus": [GPU]}) == []


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        (
            {"clock_mhz": {"min": 800.0, "max": 2990.0}},
            "the CPU ran at 2990 MHz, 74.8 % of its 4000 MHz: below 75 %",
        ),
        (
            {"throttled": {"core": 8, "package": 2}},
            "the CPU was too hot: 3 thermal throttle events (core) during the run",
        ),
        ({"power_source": "battery"}, "the machine ran on its battery"),
        (
            {"uptime_s": 150.0, "stolen_s": 12.5},
            "other guests of this virtual machine's host took 2.5 core seconds of a run of 50 s",
        ),
        ({"gpus": [GPU | {"clock_sm_mhz": 990.0}]}, "GPU 0 ran at 990 MHz, 50.0 % of its 1980 MHz: below 75 %"),
        ({"gpus": [GPU | {"throttle_reasons": ["idle", "power cap"]}]}, "GPU 0 was held back: power cap"),
    ],
)
def test_throttle_notes_name_what_held_the_machine_back(changes, note):
    assert throttle_notes(CALM, CALM | changes) == [note]


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_mhz": {"min": 800.0, "max": 3000.0}},  # 75 % exactly
        {"uptime_s": 150.0, "stolen_s": 11.0},  # 2 % exactly
        {"gpus": [GPU | {"clock_sm_mhz": 345.0, "throttle_reasons": ["idle"]}]},  # it rests already
    ],
)
def test_throttle_notes_let_the_limit_itself_pass(changes):
    assert throttle_notes(CALM, CALM | changes) == []
