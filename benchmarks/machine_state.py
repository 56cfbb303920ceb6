"""How fast this machine is allowed to run just now: clocks, throttling, load. Taken before and after a measurement.

`machine.py` says what the machine is; this says what changes while it runs. A fact that can't be read is None.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu_state import gpu_states
from benchmarks.machine import load_average, parse_meminfo

CPUS = Path("/sys/devices/system/cpu")
POWER_SUPPLIES = Path("/sys/class/power_supply")
PROC = Path("/proc")

BOOST_SHARE = 0.75  # a run whose clock is below this share of its boost clock is not what the machine can do
LEAST_STOLEN_S = 0.1
STOLEN_SHARE = 0.02  # of one core's time, taken by other guests of a virtual machine's host


def machine_state() -> dict[str, Any]:
    """Returns the state of this machine at this moment, as a JSON object.

    Returns:
        `uptime_s`; `load_average` (1, 5 and 15 minutes); `clock_mhz` (`min`, `max` over the cores that this process may
        use); `clock_boost_mhz` (the most that any of them can reach); `governor` (all that they have, "a, b");
        `throttled` (`core`, `package`: events since boot); `stolen_s` (core seconds since boot that other guests had);
        `memory_available_mb`; `power_source` ("mains" or "battery"); `gpus` (`gpu_states`).
    """
    cores = _usable_cores()
    folders = [CPUS / f"cpu{core}" for core in cores]
    boost_khz = _numbers(folder / "cpufreq" / "cpuinfo_max_freq" for folder in folders)
    governors = {_read(folder / "cpufreq" / "scaling_governor").strip() for folder in folders} - {""}
    return {
        "uptime_s": _first_number(_read(PROC / "uptime")),
        "load_average": load_average(),
        "clock_mhz": _clocks(folders, cores),
        "clock_boost_mhz": max(boost_khz) / 1000 if boost_khz else None,
        "governor": ", ".join(sorted(governors)) or None,
        "throttled": _throttled(folders),
        "stolen_s": parse_stolen(_read(PROC / "stat"), cores, _ticks_per_s()),
        "memory_available_mb": parse_meminfo(_read(PROC / "meminfo"))["available"],
        "power_source": _power_source(),
        "gpus": gpu_states(),
    }


def throttle_notes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns what kept this machine from its full speed between two states, a sentence each; empty where nothing did.

    A core that is idle clocks down, so the fastest core counts, right after the run. An idle GPU is not judged.

    Args:
        before: `machine_state()` right before a measurement.
        after: the same right after it.
    """
    notes = []
    clocks, boost_mhz = after["clock_mhz"], after["clock_boost_mhz"]
    if clocks and boost_mhz and clocks["max"] < BOOST_SHARE * boost_mhz:
        notes.append(_slow_clock("the CPU", clocks["max"], boost_mhz))
    if before["throttled"] and after["throttled"]:
        for part, then in before["throttled"].items():
            if (now := after["throttled"].get(part, then)) > then:
                notes.append(f"the CPU was too hot: {now - then} thermal throttle events ({part}) during the run")
    notes += _stolen_notes(before, after)
    if after["power_source"] == "battery":
        notes.append("the machine ran on its battery")
    for gpu in after["gpus"]:
        notes += _gpu_notes(gpu)
    return notes


def parse_stolen(text: str, cores: Sequence[int], ticks_per_s: int) -> float | None:
    """Reads from the text of /proc/stat how long these cores stood ready while the host ran other guests.

    Args:
        text: the file's.
        cores: their numbers.
        ticks_per_s: of the file's unit.

    Returns:
        Seconds since boot, over these cores; None where the file does not say.
    """
    lines = (line.split() for line in text.splitlines())
    ticks = {words[0]: int(words[8]) for words in lines if len(words) > 8 and words[0].startswith("cpu")}
    named = [f"cpu{core}" for core in cores]
    return sum(ticks[name] for name in named) / ticks_per_s if named and all(name in ticks for name in named) else None


def parse_clocks(text: str) -> dict[int, float]:
    """Reads the clock of each core, MHz, from the text of /proc/cpuinfo; empty where it names none (Arm)."""
    clocks: dict[int, float] = {}
    core = -1
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "processor" and value.strip().isdigit():
            core = int(value)
        elif key.strip() == "cpu MHz":
            clocks[core] = float(value)
    return clocks


def _slow_clock(what: str, clock_mhz: float, boost_mhz: float) -> str:
    share = 100 * clock_mhz / boost_mhz
    least = f"{100 * BOOST_SHARE:.0f} %"
    return f"{what} ran at {clock_mhz:.0f} MHz, {share:.1f} % of its {boost_mhz:.0f} MHz: below {least}"


def _stolen_notes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if None in (before["stolen_s"], after["stolen_s"], before["uptime_s"], after["uptime_s"]):
        return []
    stolen_s, run_s = after["stolen_s"] - before["stolen_s"], after["uptime_s"] - before["uptime_s"]
    if run_s <= 0 or stolen_s <= max(STOLEN_SHARE * run_s, LEAST_STOLEN_S):
        return []
    return [f"other guests of this virtual machine's host took {stolen_s:.1f} core seconds of a run of {run_s:.0f} s"]


def _gpu_notes(gpu: Mapping[str, Any]) -> list[str]:
    notes = []
    clock_mhz, most_mhz, reasons = gpu["clock_sm_mhz"], gpu["clock_sm_max_mhz"], gpu["throttle_reasons"] or []
    if clock_mhz and most_mhz and clock_mhz < BOOST_SHARE * most_mhz and "idle" not in reasons:
        notes.append(_slow_clock(f"GPU {gpu['index']}", clock_mhz, most_mhz))
    held = [reason for reason in reasons if reason != "idle"]
    return [*notes, f"GPU {gpu['index']} was held back: {', '.join(held)}"] if held else notes


def _usable_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 0))


def _ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _clocks(folders: Sequence[Path], cores: Sequence[int]) -> dict[str, float] | None:
    """From the frequency driver, which knows each core; from /proc/cpuinfo where there is none (virtual machines)."""
    clocks_mhz = [khz / 1000 for khz in _numbers(folder / "cpufreq" / "scaling_cur_freq" for folder in folders)]
    if not clocks_mhz:
        clocks_mhz = [mhz for core, mhz in parse_clocks(_read(PROC / "cpuinfo")).items() if core in cores]
    return {"min": min(clocks_mhz), "max": max(clocks_mhz)} if clocks_mhz else None


def _throttled(folders: Sequence[Path]) -> dict[str, int] | None:
    """Cores are counted together; the cores of a package all show its one counter."""
    core = _numbers(folder / "thermal_throttle" / "core_throttle_count" for folder in folders)
    package = _numbers(folder / "thermal_throttle" / "package_throttle_count" for folder in folders)
    return {"core": sum(core), "package": max(package, default=0)} if core else None


def _power_source() -> str | None:
    """Only a machine with a battery says; a supply that is online wins over a battery that is charging."""
    try:
        supplies = sorted(POWER_SUPPLIES.iterdir())
    except OSError:
        return None
    if not any(_read(supply / "type").strip() == "Battery" for supply in supplies):
        return None
    online = any(_read(supply / "online").strip() == "1" for supply in supplies)
    return "mains" if online else "battery"


def _numbers(paths: Iterable[Path]) -> list[int]:
    texts = (_read(path).strip() for path in paths)
    return [int(text) for text in texts if text.isdigit()]


def _first_number(text: str) -> float | None:
    words = text.split()
    return float(words[0]) if words else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
