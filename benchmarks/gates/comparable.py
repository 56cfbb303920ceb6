"""Says what differs between two bench records beside the file itself: another machine's time is no baseline."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime.errors import UsageError

_MACHINE = {
    "cpu": "CPU",
    "cpu_flags": "CPU flags",
    "cores_usable": "usable cores",
    "gpus": "GPU, driver and memory",
    "governor": "governor",
}
_STATE = {"power_source": "power source"}
_GPU = {"power_state": "power state", "clock_sm_max_mhz": "largest clock in MHz", "power_limit_w": "power limit in W"}
_FILE = {
    "provider": "provider",
    "threads": "threads",
    "precision": "precision",
    "width_px": "width in px",
    "height_px": "height in px",
    "batch": "frames a call",
    "camera": "camera",
}
_CAMERA = {"rate_hz": "rate in Hz", "cameras": "cameras", "load": "load beside it"}
_NOT_SPEED = ("segtool-runtime", "numpy", "python")  # of a placement's versions: not the engine's


def require_comparable(
    baseline: Mapping[str, Any], new: Mapping[str, Any], where: Path, *, allow_different: bool
) -> list[str]:
    """Checks that two records differ in nothing but the file, so that its speed is what is compared.

    Args:
        baseline: from `read_record`.
        new: a record as `bench_record` gives it.
        where: the baseline's file, for the error.
        allow_different: whether differences of machine and settings are let pass.

    Returns:
        The differences that were let pass, a line each: they belong beside the verdict.

    Raises:
        UsageError: the records differ, and that is not allowed; or they measure different things, which nothing allows.
    """
    if never := list(_never(baseline, new)):
        raise UsageError(f"{where}: {_told(never)}; measure the same again and --save it")
    found = differences(baseline, new)
    if found and not allow_different:
        raise UsageError(f"{where}: {_told(found)}; measure a baseline here, or let that pass with --allow-different")
    return found


def differences(baseline: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Returns what differs between two records beside files and figures, "name: old | new" each.

    Args:
        baseline: from `read_record`.
        new: a record of the same scenario and as many files.
    """
    found = list(_differing(_MACHINE, baseline["machine"], new["machine"]))
    found += _differing_keys("", _engines(baseline["machine"]), _engines(new["machine"]))
    states = [record["state"].get("before") or {} for record in (baseline, new)]
    found += _differing(_STATE, *states)
    found += _gpu_differences(baseline, new)
    for index, (old_file, new_file) in enumerate(zip(baseline["files"], new["files"], strict=True)):
        prefix = f"file {index + 1}, " if len(new["files"]) > 1 else ""
        found += (prefix + line for line in _file_differences(old_file, new_file))
    found += _differing({"from": "frames"}, baseline["frames"], new["frames"])
    if new["scenario"] == "single-stream":
        for old_result, new_result in zip(baseline["results"], new["results"], strict=True):
            found += _differing({"load": "load beside it"}, old_result, new_result)
    if new["scenario"] == "camera":
        for old_result, new_result in zip(baseline["results"], new["results"], strict=True):
            found += _differing(_CAMERA, old_result, new_result)
    return list(dict.fromkeys(found))


def _never(baseline: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What makes figures incomparable in kind."""
    if baseline["scenario"] != new["scenario"]:
        yield _line("scenario", baseline["scenario"], new["scenario"])
    for key in ("files", "results"):
        if len(baseline[key]) != len(new[key]):
            yield _line(f"number of {key}", len(baseline[key]), len(new[key]))


def _file_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from _differing(_FILE, old, new)
    options = [_without(file.get("options"), ("threads",)) for file in (old, new)]  # threads are named above
    yield from _differing_keys("option ", *options)
    versions = [_without((file.get("placement") or {}).get("versions"), _NOT_SPEED) for file in (old, new)]
    yield from _differing_keys("", *versions)


def _gpu_differences(baseline: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Right after a run, when a GPU is still in the state that it ran in."""
    lists = [(record["state"].get("after") or {}).get("gpus") or [] for record in (baseline, new)]
    for old_gpu, new_gpu in zip(*lists, strict=False):  # another number of them shows in the machine's names
        named = {key: f"GPU {new_gpu.get('index')}, {name}" for key, name in _GPU.items()}
        yield from _differing(named, old_gpu, new_gpu)


def _engines(machine: Mapping[str, Any]) -> dict[str, str]:
    packages = machine.get("packages") or {}
    return {name: version for name, version in packages.items() if name.startswith("onnxruntime")}


def _differing(names: Mapping[str, str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key, name in names.items():
        if _plain(old.get(key)) != _plain(new.get(key)):
            yield _line(name, old.get(key), new.get(key))


def _differing_keys(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    names = {key: prefix + key for key in [*old, *(key for key in new if key not in old)]}
    return _differing(names, old, new)


def _without(entries: Mapping[str, Any] | None, left_out: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in (entries or {}).items() if key not in left_out}


def _plain(value: object) -> object:
    """As JSON has it: a new record still holds tuples and paths where a baseline has lists and text."""
    return json.loads(json.dumps(value, default=str))


def _line(name: str, old: object, new: object) -> str:
    return f"{name}: {_shown(old)} | {_shown(new)}"


def _told(found: list[str]) -> str:
    return f"a baseline of the same machine and settings was expected, got (baseline | now) {'; '.join(found)}"


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
