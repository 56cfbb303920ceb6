"""Throughput of one network exported at several batch sizes, measured in turns, so that drift hits all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency import LatencyRun, Segments, measure_latency
from benchmarks.summary import latency_summary, summary_rows
from runtime.errors import UsageError

Frames = Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class OfflineSettings:
    """How much is measured.

    Attributes:
        frames: of each file, at least 1; rounded up to whole calls, and to a call in every round.
        warmup: calls of each file before, not measured.
        rounds: in each of which every file has its turn, at least 1. With one round, a machine that grows slower would
            make the file that is measured last look slow.
    """

    frames: int = 1000
    warmup: int = 20
    rounds: int = 10

    def __post_init__(self) -> None:
        if self.frames < 1 or self.warmup < 0 or self.rounds < 1:
            raise UsageError(
                "offline: at least 1 frame, 0 warm-up calls and 1 round were expected, got "
                f"{self.frames}, {self.warmup} and {self.rounds}; correct the numbers"
            )


def measure_offline(
    segmenters: Sequence[Segments],
    frames: Sequence[Frames],
    settings: OfflineSettings,
    advance: Callable[[int], object] = lambda _: None,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> list[dict[str, Any]]:
    """Runs the files by turns, each as fast as it goes, until each has had its frames.

    Every other round goes through them backwards: no file always follows the same one.

    Args:
        segmenters: one a file; left open.
        frames: for each of them what its `segment` takes, used in turn.
        settings: how much.
        advance: told how many more frames are done (of `settings.frames` for each file, or some more), between two
            measured stretches.
        clock_ns: nanoseconds, monotonic.

    Returns:
        A result for each file, in their order; `file` is its place.

    Raises:
        UsageError: not as many lists of frames as files, or an empty one.
        FrameError, DeviceError: from a segmenter.
    """
    if len(frames) != len(segmenters) or not segmenters:
        raise UsageError(
            f"offline: expected frames for each of at least 1 file, got {len(frames)} for {len(segmenters)}; give them"
        )
    runs: list[list[LatencyRun]] = [[] for _ in segmenters]
    calls = [max(settings.rounds, -(-settings.frames // segmenter.spec.batch)) for segmenter in segmenters]
    places = list(range(len(segmenters)))
    for turn in range(settings.rounds):
        for place in places if turn % 2 == 0 else reversed(places):
            count = _share(calls[place], turn, settings.rounds)
            warmup = settings.warmup if turn == 0 else 0
            done = sum(len(run.samples_ms) for run in runs[place])
            runs[place].append(measure_latency(segmenters[place], frames[place], count, warmup, clock_ns, first=done))
            advance(count * segmenters[place].spec.batch)
    return [_result(place, runs[place]) for place in places]


def offline_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    rows = [
        ("batch", f"{result['batch']} in a call, {result['calls']} calls"),
        ("throughput", f"{result['frames_per_s']:.1f} frames/s"),
        ("a frame", f"{result['per_frame_ms']:.2f} ms"),
    ]
    if result["invalid_calls"]:
        rows.append(("no valid answer", f"{result['invalid_calls']} of {result['calls']} calls"))
    return rows + summary_rows(result["latency_ms"], "call")


def _share(count: int, turn: int, turns: int) -> int:
    """How many of `count` fall to one of the turns; they add up, and differ by one at most."""
    return count * (turn + 1) // turns - count * turn // turns


def _result(place: int, runs: Sequence[LatencyRun]) -> dict[str, Any]:
    samples_ms = np.concatenate([run.samples_ms for run in runs])
    wall_s, batch = sum(run.wall_s for run in runs), runs[0].batch
    frames = len(samples_ms) * batch
    return {
        "file": place,
        "batch": batch,
        "calls": len(samples_ms),
        "frames": frames,
        "wall_s": wall_s,
        "frames_per_s": frames / wall_s,
        "per_frame_ms": 1e3 * wall_s / frames,
        "invalid_calls": sum(run.invalid_frames for run in runs),
        "latency_ms": latency_summary(samples_ms),
    }
