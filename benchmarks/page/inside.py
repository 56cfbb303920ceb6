"""Sections on what a time is made of: stages of a frame, parts of a cold start, and memory over a long run."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.page.comparison_charts import memory
from benchmarks.page.figures import BOUND, figure, part, percentiles, section
from benchmarks.page.headline import file_line
from benchmarks.page.markup import Markup, element, joined, table
from benchmarks.page.numbers import count, ms, per_cent, plain, share
from benchmarks.page.pace import Results
from benchmarks.page.time_charts import letter, stacked_bar

KB_PER_MB = 1000


def stages_section(results: Results) -> Markup:
    """Returns where the time of a frame goes: copies, graph, and the nodes that take longest."""
    return section("Where a frame's time goes", *(_stages(file, result) for file, result in results))


def cold_start_section(results: Results) -> Markup:
    """Returns the parts of the time from the process's start to its first valid mask."""
    return section(
        "Cold start",
        *(_cold_start(file, result) for file, result in results),
        intro="From the start of the process to its first valid mask.",
    )


def soak_section(results: Results) -> Markup:
    """Returns memory over a long run, and its slope with the error of that."""
    return section("Long run", *(_soak(file, result) for file, result in results))


def _stages(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    parts = list(result["parts_ms"].items())
    nodes = [[node["name"], node["op"], plain(node["ms"], 3), per_cent(node["share"])] for node in result["nodes"]]
    longest = table("Nodes that take longest", ["node", "operator", "ms", "of the graph"], nodes, words=range(2))
    return part(
        file_line(file),
        _parts(parts, None, f"Parts of a frame of {ms(result['segment_ms'])}"),
        longest if nodes else Markup(""),
        intro=f"A frame takes {ms(result['segment_ms'])} from bytes to labels.",
    )


def _cold_start(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    parts, outside, whole = list(result["parts_ms"].items()), result["outside_ms"], result["sum_ms"]
    apart = share(abs(outside - whole), outside)
    return part(
        file_line(file),
        _parts(parts, result.get("ready_budget_ms"), f"Parts of a cold start of {ms(whole)}"),
        intro=f"Ready after {ms(outside)} by an outside clock; the parts add up to {ms(whole)}, {apart} apart. "
        f"Median of {count(result['repeats'])} starts.",
    )


def _parts(parts: Sequence[tuple[str, float]], limit_ms: float | None, caption: str) -> Markup:
    total = sum(part for _, part in parts)
    if total <= 0:
        return Markup("")
    told = f"{caption}: " + ", ".join(f"{name} {ms(part)}" for name, part in parts)
    shown = [(name, max(part, 0.0)) for name, part in parts]
    draw = partial(stacked_bar, shown, limit_ms=limit_ms, limit_name="to be ready within", told=told)
    rows = [[_key(index), name, plain(part), per_cent(part / total)] for index, (name, part) in enumerate(parts)]
    return joined(
        figure(draw, f"{caption}, in their order."), table(caption, ["", "part", "ms", "share"], rows, words=range(2))
    )


def _soak(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    frames, mb = result["rss"]["frame"], result["rss"]["mb"]
    slope, error = result["slope_kb_per_1000"], result["error_kb_per_1000"]
    told_slope = f"{slope:+.2f} ± {error:.2f} kB for 1,000 frames"
    told = f"Resident memory over {count(result['frames'])} frames: {told_slope}"
    chart = Markup("")
    if len(frames) > 1:
        draw = partial(memory, frames, mb, slope_mb=slope / KB_PER_MB / 1000, told=told)
        chart = figure(draw, f"Resident memory; dashed, the straight line through it: {told_slope}.")
    return part(
        file_line(file),
        chart,
        percentiles(f"Times in ms{BOUND}", [("over the whole run", result["latency_ms"])]),
        intro=f"{count(result['frames'])} frames in {plain(result['duration_s'], 0)} s; memory slope {told_slope}, "
        "with its standard error.",
    )


def _key(index: int) -> Markup:
    """Returns a part's colour and letter: the colour finds the parts too thin for theirs."""
    colour = element("rect", {"class": f"part-{index}", "width": 10, "height": 10})
    return joined(
        element("svg", {"class": "swatch", "viewBox": "0 0 10 10", "aria-hidden": "true"}, colour), letter(index)
    )
