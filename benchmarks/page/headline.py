"""What a page opens with: does this file hold its camera's pace, and how is that known? Else what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.page.findings import finding, tail
from benchmarks.page.numbers import count, ms, rate, several, share, size
from benchmarks.record import busy_notes


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What was found of one file.

    Attributes:
        verdict: "holds" or "fails" of a camera's pace, or "unproven" where too few frames were measured; without a
            camera "passed" or "refused" by the gates that were asked for, or "open".
        sentence: rate, misses, budget and percentiles; or what each record found.
        detail: the file, the machine, what else ran on it, and which gates failed.
    """

    verdict: str
    sentence: str
    detail: str


def headlines(records: Sequence[Mapping[str, Any]]) -> list[Headline]:
    """Returns a headline for each file that met a camera's pace, what fails first; else one that says what was found.

    Args:
        records: of benches, schema 2; at least one.
    """
    found = [
        _camera(record, result) for record in records if record["scenario"] == "camera" for result in record["results"]
    ]
    if found:
        others = [record for record in records if record["scenario"] != "camera" and _failed(record)]
        ranks = ("fails", "refused", "unproven", "holds")
        found += [_without_camera([record]) for record in others]
        return sorted(found, key=lambda headline: ranks.index(headline.verdict))
    return [_without_camera(records)]


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
    failed = _failed(record)
    refused = f" What failed: {'; '.join(failed)}." if failed else ""
    return Headline(
        verdict="fails" if not result["holds"] else "unproven" if failed else "holds",
        sentence=f"At {pace}, {missed}{of} missed the {ms(result['budget_ms'])} budget, "
        f"through a Stream {late} had no answer in time; {tail(every['latency_ms'])}.",
        detail=f"{file_line(file)}, on {machine_line(record['machine'])}.{beside}{refused}{_busy([record])}",
    )


def _load(load: Mapping[str, Any]) -> str:
    parts = []
    if load.get("cpu"):
        parts.append(several(load["cpu"], "busy process", "busy processes"))
    if load.get("gpu"):
        parts.append(f"work on {100 * load['gpu']:.3g} % of the GPU")
    return " and ".join(parts)


def _without_camera(records: Sequence[Mapping[str, Any]]) -> Headline:
    files = dict.fromkeys(file_line(file) for record in records for file in record["files"])
    gates = [gate for record in records for gate in record["gates"]]
    told = [f"{_told(gate)}." for gate in gates]
    verdict = "open" if not gates else "passed" if all(gate["ok"] for gate in gates) else "refused"
    return Headline(
        verdict=verdict,
        sentence=" ".join([*told, *(finding(record) for record in records)]),
        detail=f"{'; '.join(files)}, on {machine_line(records[0]['machine'])}.{_busy(records)}",
    )


def _failed(record: Mapping[str, Any]) -> list[str]:
    return [_told(gate) for gate in record["gates"] if not gate["ok"]]


def _told(gate: Mapping[str, Any]) -> str:
    return f"{gate['name']}: {gate['limit']}, got {gate['got']}"


def _busy(records: Sequence[Mapping[str, Any]]) -> str:
    """What takes the worth from a verdict belongs beside it."""
    notes = dict.fromkeys(note for record in records for note in busy_notes(record["machine"]))
    return "".join(f" {note[0].upper()}{note[1:]}." for note in notes)
