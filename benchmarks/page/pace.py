"""Sections on pace: frames as a camera sends them, one after another, and in batches."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.page.figures import BOUND, figure, part, percentile, percentile_names, percentiles, section
from benchmarks.page.findings import tail
from benchmarks.page.headline import file_line
from benchmarks.page.markup import Markup, element, joined, table
from benchmarks.page.numbers import count, ms, plain, rate, several
from benchmarks.page.time_charts import histogram, timeline

Results = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]  # each with its file's record

OUTCOMES = ("ok", "late", "dropped", "stale", "invalid", "failed")


def camera_section(results: Results) -> Markup:
    """Returns latency from the planned capture: histogram, timeline, percentiles, and how each frame ended."""
    parts = [_camera(file, result) for file, result in results]
    return section(
        "At a camera's pace",
        *parts,
        intro="Frames fall due at fixed times and each latency counts from the planned one, so that a slow frame is "
        "also charged for those it kept waiting.",
    )


def single_stream_section(results: Results) -> Markup:
    """Returns latency with the next frame sent when the last is done: all files in one table, then their histograms."""
    names = list(dict.fromkeys(name for _, result in results for name in percentile_names(result["latency_ms"])))
    rows = [
        [
            _row_name(file),
            count(result["frames"]),
            plain(result["frames_per_s"], 1),
            *(percentile(result["latency_ms"], name) for name in names),
            plain(result["latency_ms"]["max"]),
        ]
        for file, result in results
    ]
    return section(
        "One frame after another",
        table(f"Times in ms{BOUND}", ["file", "frames", "frames/s", *names, "max"], rows),
        *(_single_stream(file, result) for file, result in results),
        intro="The next frame is sent when the last one is done.",
    )


def offline_section(results: Results) -> Markup:
    """Returns throughput over batch sizes."""
    rows = [
        [
            file["file"],
            count(result["batch"]),
            plain(result["frames_per_s"], 1),
            plain(result["per_frame_ms"]),
            plain(result["latency_ms"]["percentiles"].get("p50")),
        ]
        for file, result in results
    ]
    head = ["file", "batch", "frames/s", "a frame, ms", "a call, p50, ms"]
    return section("In batches", table("Throughput of files made for several frames a call", head, rows))


def _camera(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    every, newest, deadline = result["every"], result["newest"], result["budget_ms"]
    pace = f"{rate(result['rate_hz'])}, deadline {ms(deadline)}"
    missed = several(every["misses"], "miss", "misses")
    told = f"{file['file']} at {pace}: {count(every['frames'])} frames, {missed}; {tail(every['latency_ms'])}"
    columns = [
        ("back to back", result["back_to_back"]),
        ("each frame", every["latency_ms"]),
        ("age of the newest", newest["age_ms"]),
    ]
    return part(
        f"{rate(result['rate_hz'])}: {file_line(file)}",
        _histogram(every["latency_ms"], deadline, f"Histogram of latency. {told}", "Each frame served in turn."),
        _timeline(every.get("timeline"), deadline, f"Latency over time. {told}"),
        percentiles(f"Times in ms{BOUND}", columns),
        _endings(newest, several(result["cameras"], "camera")),
        _jitter(every, newest),
    )


def _histogram(summary: Mapping[str, Any], deadline_ms: float | None, told: str, what: str) -> Markup:
    bins = summary["histogram"]
    if not any(bins["counts"]):
        return Markup("")
    draw = partial(histogram, bins["edges_ms"], bins["counts"], deadline_ms=deadline_ms, told=told)
    beyond = "" if deadline_ms is None else " Bins past the dashed deadline have longer, thicker ticks."
    return figure(draw, f"{what} A tick below the axis marks every bin that holds a frame, however few.{beyond}")


def _timeline(line: Mapping[str, Any] | None, deadline_ms: float, told: str) -> Markup:
    if not line or not line["t_s"]:  # published records leave it out
        return Markup("")
    draw = partial(timeline, line["t_s"], line["ms"], deadline_ms=deadline_ms, title="latency in ms", told=told)
    shown = f"{count(len(line['t_s']))} points, each the slowest frame of its stretch of time; a cross is a miss."
    return figure(draw, shown)


def _endings(newest: Mapping[str, Any], cameras: str) -> Markup:
    rows = [["all cameras" if newest.get("per_camera") else cameras, *_ended(newest)]]
    rows += [[str(name), *_ended(ended)] for name, ended in (newest.get("per_camera") or {}).items()]
    head = ["", *OUTCOMES]
    return table("How frames ended as a vehicle runs it, where the newest frame replaces one that waits", head, rows)


def _ended(counted: Mapping[str, Any]) -> list[str]:
    return ["-" if counted.get(name) is None else count(counted[name]) for name in OUTCOMES]


def _jitter(every: Mapping[str, Any], newest: Mapping[str, Any]) -> Markup:
    names = [name for name in every["jitter_ms"] if name in newest["jitter_ms"]]
    if not names:
        return Markup("")
    rows = [
        [told, *(plain(run["jitter_ms"][name]) for name in names)]
        for told, run in (("each frame", every), ("newest", newest))
    ]
    return table("Begun late by (each frame) and handed in late by (newest), in ms", ["", *names], rows)


def _single_stream(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    summary = result["latency_ms"]
    told = f"Histogram of latency. {file['file']}, {count(result['frames'])} frames back to back; {tail(summary)}"
    first = result.get("first_frame_ms")
    opening = "" if first is None else f"; the first one took {ms(first)}"
    invalid = result.get("invalid_frames") or 0
    no_answer = f"; {several(invalid, 'frame')} without a valid answer" if invalid else ""
    frames = f"{count(result['frames'])} frames in {plain(result['wall_s'], 1)} s{opening}{no_answer}."
    return part(file_line(file), _histogram(summary, None, told, frames))


def _row_name(file: Mapping[str, Any]) -> Markup:
    """Returns a file's name, and below it what tells it from the others."""
    name, _, told = file_line(file).partition(": ")
    return joined(name, element("span", {"class": "bound"}, told))
