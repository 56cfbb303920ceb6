"""Where the time of a frame goes: copy in, graph, copy out and the rest of `segment`, and the graph's slowest nodes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.latency import Segments, answer_buffers
from benchmarks.scenarios.node_times import TIMED, Node, profile_nodes
from runtime.errors import UsageError
from runtime.options import EngineOptions

PARTS = ("copy in", "graph", "copy out", "rest")
TOP = 10
PROFILED_FRAMES = 20

Array = npt.NDArray[np.uint8]


class Opened(Segments, Protocol):
    """A Segmenter that is open on a file."""

    @property
    def provider(self) -> str:
        """That runs it."""

    @property
    def options(self) -> EngineOptions:
        """That it was opened with."""


@dataclass(frozen=True, kw_only=True)
class StagesSettings:
    """How much is measured.

    Attributes:
        frames: timed, at least 2: half of them are kept.
        warmup: frames before, not timed.
    """

    frames: int = 1000
    warmup: int = 20

    def __post_init__(self) -> None:
        if self.frames < 2 or self.warmup < 0:
            raise UsageError(
                f"stages: at least 2 frames and 0 warm-up frames were expected, got {self.frames} and {self.warmup}; "
                "correct the numbers"
            )


def measure_stages(
    segmenter: Opened,
    path: Path,
    frames: Sequence[Array],
    settings: StagesSettings,
    advance: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Times the parts of each frame, then profiles the nodes in a session of its own.

    Args:
        segmenter: open on the file; left open.
        path: of that file.
        frames: what `segment` takes, used in turn.
        settings: how much.
        advance: told of each frame that is done.

    Returns:
        The result for the record, without `file`. `nodes` is empty where the provider's profile has no times of them;
        `note` says so.

    Raises:
        FrameError, DeviceError: from the segmenter.
        As profile_nodes.
    """
    times_ms = part_times(segmenter, frames, settings, advance)
    nodes: list[Node] = []
    if segmenter.provider in TIMED:
        nodes = profile_nodes(path, segmenter.provider, segmenter.options, frames[:PROFILED_FRAMES])
    parts_ms = middle(times_ms)
    return {
        "frames": settings.frames,
        "parts_ms": dict(zip(PARTS, parts_ms, strict=True)),
        "segment_ms": sum(parts_ms),
        "nodes": [{"name": node.name, "op": node.op, "ms": node.ms, "share": node.share} for node in nodes[:TOP]],
        "nodes_in_all": len(nodes),
        "note": None if nodes else f"provider '{segmenter.provider}' does not tell what each node takes",
    }


def part_times(
    segmenter: Segments,
    frames: Sequence[Array],
    settings: StagesSettings,
    advance: Callable[[int], object] = lambda _: None,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> npt.NDArray[np.float64]:
    """Takes each frame apart without a look inside: by the clock around `segment`, and by what it says itself.

    `Result.latency_ms` is the engine's part: copy in, graph, copy out. The two copies are made once more right after
    it, by the same call on arrays of the same kind, so what is left of the engine's part is the graph. On a GPU the
    way between pinned memory and the device is the graph's. The rest is what `segment` does around the engine: its
    checks, its lock, the look at the largest label.

    Args:
        segmenter: its results have `latency_ms`.
        frames: what it takes, used in turn.
        settings: how much.
        advance: told of each frame that is done.
        clock_ns: nanoseconds, monotonic.

    Returns:
        float64 [frames, 4], ms, columns as `PARTS`; a row adds up to the time of that call.
    """
    outs, answers, buffer = answer_buffers(segmenter.spec), answer_buffers(segmenter.spec), np.empty_like(frames[0])
    for index in range(settings.warmup):
        segmenter.segment(frames[index % len(frames)], *outs)
    times_ms = np.empty((settings.frames, len(PARTS)))
    for index in range(settings.frames):
        frame = frames[index % len(frames)]
        before_ns = clock_ns()
        result = segmenter.segment(frame, *outs)
        after_ns = clock_ns()
        np.copyto(buffer, frame)
        copied_ns = clock_ns()
        for answer, out in zip(answers, outs, strict=True):
            np.copyto(answer, out)
        end_ns = clock_ns()
        copy_in, copy_out = (copied_ns - after_ns) / 1e6, (end_ns - copied_ns) / 1e6
        engine, whole = result.latency_ms, (after_ns - before_ns) / 1e6
        times_ms[index] = copy_in, engine - copy_in - copy_out, copy_out, whole - engine
        advance(1)
    return times_ms


def middle(times_ms: npt.NDArray[np.float64]) -> list[float]:
    """Means over the half of the frames in the middle of their order by whole time.

    Medians of parts do not add up to the median of the whole; means of the same frames do, and a frame that the system
    held up is not among these.

    Args:
        times_ms: float64 [N, parts], N at least 2.
    """
    order = np.argsort(times_ms.sum(axis=1), kind="stable")
    quarter = len(order) // 4
    return [float(mean) for mean in times_ms[order[quarter : len(order) - quarter]].mean(axis=0)]


def stages_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    whole_ms = result["segment_ms"]
    rows = [(name, f"{ms:.3f} ms, {ms / whole_ms:.1%}") for name, ms in result["parts_ms"].items()]
    rows.append(("a frame", f"{whole_ms:.3f} ms, mean of the middle half of {result['frames']} frames"))
    rows += [
        (f"node {place}", f"{node['share']:.1%} of the graph, {node['op']} {node['name']}")
        for place, node in enumerate(result["nodes"], start=1)
    ]
    return [*rows, ("note", result["note"])] if result["note"] else rows
