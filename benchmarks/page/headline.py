"""The one sentence that a page opens with: does this file hold its camera's pace, and how is that known?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.page.numbers import count, ms, rate, several, share, size

_RANKED = ("p99.9", "p99", "p90", "p50")  # the furthest tail that was not withheld speaks


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What was found of one file.

    Attributes:
        verdict: "holds", "fails", or "open" where no camera scenario was run.
        sentence: rate, misses, budget and percentiles.
        detail: the file, the machine, the load beside it, and which gates failed.
    """

    verdict: str
    sentence: str
    detail: str


def headlines(records: Sequence[Mapping[str, Any]]) -> list[Headline]:
    """Returns a headline for each file that met a camera's pace, what fails first; else one that says what is known.

    Args:
        records: of benches, schema 2; at least one.
    """
    found = [
        _camera(record, result) for record in records if record["scenario"] == "camera" for result in record["results"]
    ]
    if found:
        return sorted(found, key=lambda headline: headline.verdict != "fails")
    return [_open(records)]


def tail(summary: Mapping[str, Any]) -> str:
    """Returns the one or two furthest percentiles that frames sufficed for: "p99.9 21.0 ms, p99 18.2 ms"."""
    known = [f"{name} {ms(summary['percentiles'][name])}" for name in _RANKED if name in summary["percentiles"]]
    return ", ".join(known[:2]) or f"slowest {ms(summary['max'])} of too few frames for a percentile"


def file_line(file: Mapping[str, Any]) -> str:
    """Returns what was measured: name, network, size, precision, provider and threads."""
    network = "" if file["network"] is None else f"{file['network']}, "
    threads = "threads as the engine chooses" if not file["threads"] else several(file["threads"], "thread")
    return f"{file['file']}: {network}{size(file)}, {file['precision']}, {file['provider']}, {threads}"


def machine_line(machine: Mapping[str, Any]) -> str:
    """Returns the processor, its cores, and the GPUs."""
    cores = several(machine["cores_usable"], "core") if machine["cores_usable"] else "cores unknown"
    return ", ".join([str(machine["cpu"]), cores, *(str(gpu).split(",")[0] for gpu in machine["gpus"])])


def _camera(record: Mapping[str, Any], result: Mapping[str, Any]) -> Headline:
    every, file = result["every"], record["files"][result["file"]]
    cameras = f" from each of {result['cameras']} cameras" if result["cameras"] > 1 else ""
    pace = f"{rate(result['rate_hz'])}{cameras}"
    misses, frames = every["misses"], every["frames"]
    missed = f"{count(misses) if misses else 'none'} of {several(frames, 'frame')}"
    of = f" ({share(misses, frames)})" if misses else ""
    newest = result["newest"]
    unserved = newest["frames"] - newest["ok"]
    late = f"{count(unserved) if unserved else 'none'} of {count(newest['frames'])}"
    load = result["load"]
    beside = f" Beside it ran {_load(load)}." if any(load.values()) else ""
    failed = [f"{gate['name']}: {gate['limit']}, got {gate['got']}" for gate in record["gates"] if not gate["ok"]]
    refused = f" What failed: {'; '.join(failed)}." if failed and not result["holds"] else ""
    return Headline(
        verdict="holds" if result["holds"] else "fails",
        sentence=f"At {pace}, {missed}{of} missed the {ms(result['budget_ms'])} budget, "
        f"through a Stream {late} had no answer in time; {tail(every['latency_ms'])}.",
        detail=f"{file_line(file)}, on {machine_line(record['machine'])}.{beside}{refused}",
    )


def _load(load: Mapping[str, Any]) -> str:
    parts = []
    if load.get("cpu"):
        parts.append(several(load["cpu"], "busy process", "busy processes"))
    if load.get("gpu"):
        parts.append(f"work on {100 * load['gpu']:.3g} % of the GPU")
    return " and ".join(parts)


def _open(records: Sequence[Mapping[str, Any]]) -> Headline:
    record = records[0]
    told = [
        f"{file_line(record['files'][result['file']])}: {tail(summary)} back to back"
        for record in records
        for result in record["results"]
        if (summary := result.get("latency_ms")) is not None and record["scenario"] == "single-stream"
    ]
    what = "; ".join(told) or "; ".join(file_line(file) for file in record["files"])
    return Headline(
        verdict="open",
        sentence="Whether it holds a camera's pace was not measured: no camera scenario is among these records.",
        detail=f"{what}, on {machine_line(record['machine'])}.",
    )
