"""Measures two files in turns in one process, so that whatever slows the machine slows both. Must not draw or print."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.gates.resampling import block_length, resampled_medians
from benchmarks.gates.slowdown import CONFIDENCE, DRAWS, OPENING_DRIFT, Slowdown, interval, p99_ratio
from benchmarks.latency import answer_buffers
from runtime.errors import UsageError
from runtime.segmenter import Segmenter

_ORDERS = ((0, 1, 1, 0), (1, 0, 0, 1))  # old is 0: each file comes first and second equally often in every round


@dataclass(frozen=True, kw_only=True)
class Turns:
    """How the two files take turns. A round is four turns: old, new, new, old, and the other way round in the next.

    Attributes:
        pause_s: before a turn, seconds: the other file's threads spin on for a while after its last frame, and on all
            cores that takes a third of this one's speed (9.0 for 6.1 ms with two threads on two cores).
        settle_frames: of a turn, not measured: caches still hold the other file's weights, threads wake up.
        frames: of a turn, measured; their median counts.
        looks: after so many rounds a verdict is tried, in rising order; the last one ends the measurement. Each try
            takes its share of the error that is allowed (Bonferroni), or trying often enough would find anything.
    """

    pause_s: float = 0.05
    settle_frames: int = 2
    frames: int = 3
    looks: tuple[int, ...] = (32, 64, 128, 256)

    def __post_init__(self) -> None:
        rising = all(before < after for before, after in zip((0, *self.looks), self.looks, strict=False))
        if not rising or not self.looks or self.looks[0] < 10:
            raise UsageError(f"looks: rising counts of rounds from 10 on were expected, got {self.looks}; correct them")
        if not 0 <= self.pause_s < math.inf or self.settle_frames < 0 or self.frames < 1:
            raise UsageError(
                "turns: a pause of 0 s or more, 0 or more frames to settle and at least 1 to measure were expected, "
                f"got {self.pause_s}, {self.settle_frames} and {self.frames}; correct them"
            )


def interleaved_slowdown(
    old: Segmenter,
    new: Segmenter,
    frames: Sequence[npt.NDArray[np.uint8]],
    max_slowdown: float,
    *,
    turns: Turns | None = None,
    seed: int = 0,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[int, int], None] | None = None,
) -> Slowdown:
    """Measures until the slowdown is proven to be within the limit or over it, or the last look is reached.

    A round gives one ratio: the mean over its turns of log(median latency), new less old; even drift cancels in it.
    The median over the rounds is the answer, its interval comes from resampling rounds.

    Args:
        old: open on the old file, warm; left open.
        new: open on the new file, warm; left open.
        frames: what both take, made beforehand, used in turn; both get the same ones in a round.
        max_slowdown: the limit, a share: 0.05 is 5 %.
        turns: how they take turns.
        seed: of the resampling.
        clock_ns: the clock.
        sleep: how to pause, seconds.
        progress: told the rounds done and the most there can be, between rounds.

    Raises:
        UsageError: no frame, or the files take different frames.
        FrameError, DeviceError: from a Segmenter.
    """
    turns = turns or Turns()
    _require_same_frames(old, new, frames)
    sides = [(segmenter, answer_buffers(segmenter.spec)) for segmenter in (old, new)]
    taken: tuple[list[float], list[float]] = ([], [])
    log_ratios: list[float] = []
    generator = np.random.default_rng(seed)
    confidence = 1 - (1 - CONFIDENCE) / len(turns.looks)
    for look in turns.looks:
        while len(log_ratios) < look:
            logs = [0.0, 0.0]
            place = len(log_ratios)
            for side in _ORDERS[place % 2]:
                sleep(turns.pause_s)
                times_ms = _turn(*sides[side], frames, place * turns.frames, turns, clock_ns)
                taken[side].extend(times_ms)
                logs[side] += math.log(float(np.median(times_ms))) / 2
            log_ratios.append(logs[1] - logs[0])
            if progress is not None:
                progress(len(log_ratios), turns.looks[-1])
        slowdown = summarise_rounds(np.array(log_ratios), taken, confidence, generator)
        if slowdown.verdict(max_slowdown) != "not proven":
            break
    return slowdown


def summarise_rounds(
    log_ratios: npt.NDArray[np.float64],
    taken_ms: tuple[Sequence[float], Sequence[float]],
    confidence: float,
    generator: np.random.Generator,
) -> Slowdown:
    """Returns what rounds say so far.

    Args:
        log_ratios: float64 [R], R at least 1, of each round in order: log(new / old).
        taken_ms: every measured call of the old file and of the new one.
        confidence: of the interval, 0 to 1.
        generator: of the resampling.
    """
    drawn = resampled_medians(log_ratios, block_length(log_ratios), DRAWS, generator)
    low, high = interval(np.exp(drawn), confidence, OPENING_DRIFT)
    old_ms, new_ms = (np.array(times) for times in taken_ms)
    return Slowdown(
        how="interleaved",
        ratio=math.exp(float(np.median(log_ratios))),
        low=low,
        high=high,
        old_ms=float(np.median(old_ms)),
        new_ms=float(np.median(new_ms)),
        old_count=len(old_ms),
        new_count=len(new_ms),
        p99_ratio=p99_ratio(old_ms, new_ms),
    )


def _turn(
    segmenter: Segmenter,
    outs: Sequence[npt.NDArray[np.uint8]],
    frames: Sequence[npt.NDArray[np.uint8]],
    start: int,
    turns: Turns,
    clock_ns: Callable[[], int],
) -> list[float]:
    """Returns the milliseconds of each measured call of one turn."""
    for index in range(turns.settle_frames):
        segmenter.segment(frames[(start + index) % len(frames)], *outs)
    times_ms = []
    for index in range(turns.frames):
        frame = frames[(start + index) % len(frames)]
        before_ns = clock_ns()
        segmenter.segment(frame, *outs)
        times_ms.append((clock_ns() - before_ns) / 1e6)
    return times_ms


def _require_same_frames(old: Segmenter, new: Segmenter, frames: Sequence[npt.NDArray[np.uint8]]) -> None:
    if not frames:
        raise UsageError("a comparison needs at least 1 frame, got 0; make some beforehand")
    shapes = [(segmenter.spec.batch, *segmenter.spec.frame_shape) for segmenter in (old, new)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"two files in turns need the same frames: [N,H,W,C] {list(shapes[0])} was expected as of the old file, "
            f"the new one takes {list(shapes[1])}; compare files of one size and batch"
        )
