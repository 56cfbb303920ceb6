"""Runs frames through a Segmenter, one call at a time, and keeps each one's time. Knows no percentiles."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError
from runtime.frames import answer_shape
from runtime.spec import ModelSpec
from trainer.data.camera_frames import as_camera_frame
from trainer.data.dataset import Dataset

DISTINCT_FRAMES = 32  # at most; enough that no cache holds them all at a camera's size, few enough to keep in memory


class Segments(Protocol):
    """What is measured: a Segmenter, or what a test puts in its place."""

    @property
    def spec(self) -> ModelSpec:
        """What it takes and gives."""

    @property
    def segment(self) -> Callable[..., Any]:
        """Labels a frame, uint8, into one or two arrays, uint8; the result has `valid`."""


@dataclass(frozen=True, kw_only=True)
class LatencyRun:
    """The times of one measured run.

    Attributes:
        samples_ms: float64 [N], each call's time from that of `segment` to its return, in the order of the run.
        wall_s: seconds from before the first measured frame to after the last.
        warmup_frames: calls that ran before and were not measured.
        warmup_ms: float64 [warmup_frames], their times; the first is the file's very first frame where the Segmenter
            was opened without a warm-up of its own.
        distinct_frames: how many different frames (batches) were used in turn.
        invalid_frames: measured calls whose result held label 255 (no valid answer).
        batch: frames in each call.
    """

    samples_ms: npt.NDArray[np.float64]
    wall_s: float
    warmup_frames: int
    warmup_ms: npt.NDArray[np.float64]
    distinct_frames: int
    invalid_frames: int
    batch: int = 1

    @property
    def frames_per_s(self) -> float:
        """Frames per second of wall clock, one after another."""
        return len(self.samples_ms) * self.batch / self.wall_s


def noise_frames(spec: ModelSpec, count: int, seed: int) -> list[npt.NDArray[np.uint8]]:
    """Makes frames of uniform noise, the same for the same seed.

    Returns:
        At most `DISTINCT_FRAMES` frames in arrays uint8 of the spec's frame_shape ([batch, *frame_shape] for batches
        over 1), each 0..255, at least one array.
    """
    generator = np.random.default_rng(seed)
    shape = spec.frame_shape if spec.batch == 1 else (spec.batch, *spec.frame_shape)
    return [generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(_distinct(spec, count))]


def real_frames(dataset: Dataset, split: str, spec: ModelSpec, count: int, seed: int) -> list[npt.NDArray[np.uint8]]:
    """Reads frames of a data set as the file's camera would deliver them, chosen by the seed.

    Returns:
        As `noise_frames`; no frame twice where there are enough for the last batch.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """
    available = len(dataset.frames(split))
    wanted = _distinct(spec, count) * spec.batch
    chosen = np.random.default_rng(seed).permutation(available)[:wanted]
    if spec.batch > 1:
        chosen = np.resize(chosen, -(-len(chosen) // spec.batch) * spec.batch)  # the last batch starts over
    images = (dataset.read(split, int(index)).image_hwc for index in chosen)
    frames = [np.ascontiguousarray(as_camera_frame(image_hwc, spec)) for image_hwc in images]
    if spec.batch == 1:
        return frames
    return [np.stack(frames[start : start + spec.batch]) for start in range(0, len(frames), spec.batch)]


def distinct_frames(spec: ModelSpec, count: int, available: int | None = None) -> int:
    """Returns how many arrays `noise_frames` makes, or `real_frames` of so many frames, without making them.

    Args:
        spec: of the file.
        count: asked for.
        available: frames of the split; None for noise.
    """
    arrays = _distinct(spec, count)
    return arrays if available is None else min(arrays, -(-available // spec.batch))


def _distinct(spec: ModelSpec, count: int) -> int:
    return min(count, max(1, DISTINCT_FRAMES // spec.batch))


def answer_buffers(spec: ModelSpec) -> list[npt.NDArray[np.uint8]]:
    """Makes what `segment` writes its answer into: labels, and confidence where the file gives it."""
    return [np.empty(answer_shape(spec), dtype=np.uint8) for _ in range(1 if spec.confidence is None else 2)]


def measure_latency(
    segmenter: Segments,
    frames: Sequence[npt.NDArray[np.uint8]],
    count: int,
    warmup: int,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    *,
    first: int = 0,
) -> LatencyRun:
    """Runs `warmup` frames apart, then `count` frames one after another, each timed with the monotonic clock.

    The answer goes into buffers that are used again, as an embedding program would do it. Nothing is printed or
    drawn meanwhile.

    Args:
        segmenter: an open one; left open.
        frames: what `segment` takes, made beforehand, used in turn.
        count: calls to measure, at least 1.
        warmup: calls to run before, 0 or more.
        clock_ns: nanoseconds, monotonic.
        first: which of the frames is measured first, where this goes on from an earlier run; later ones follow it.

    Raises:
        UsageError: no frame, or a count out of range.
        FrameError, DeviceError: from the Segmenter.
    """
    if not frames or count < 1 or warmup < 0:
        raise UsageError(
            "a run needs at least 1 frame to measure, 1 distinct frame and 0 warm-up frames, "
            f"got {count}, {len(frames)} and {warmup}; correct the numbers"
        )
    outs = answer_buffers(segmenter.spec)
    warmup_ns, _ = _run_frames(segmenter, frames, warmup, outs, clock_ns)
    first %= len(frames)
    in_turn = [*frames[first:], *frames[:first]]
    start_ns = clock_ns()
    samples_ns, invalid = _run_frames(segmenter, in_turn, count, outs, clock_ns)
    wall_ns = clock_ns() - start_ns
    return LatencyRun(
        samples_ms=samples_ns / 1e6,
        wall_s=wall_ns / 1e9,
        warmup_frames=warmup,
        warmup_ms=warmup_ns / 1e6,
        distinct_frames=len(frames),
        invalid_frames=invalid,
        batch=segmenter.spec.batch,
    )


def _run_frames(
    segmenter: Segments,
    frames: Sequence[npt.NDArray[np.uint8]],
    count: int,
    outs: Sequence[npt.NDArray[np.uint8]],
    clock_ns: Callable[[], int],
) -> tuple[npt.NDArray[np.int64], int]:
    """Returns each call's nanoseconds, int64 [count], and how many results were not valid."""
    samples_ns = np.empty(count, dtype=np.int64)
    invalid = 0
    for index in range(count):
        frame = frames[index % len(frames)]
        before_ns = clock_ns()
        result = segmenter.segment(frame, *outs)
        samples_ns[index] = clock_ns() - before_ns
        invalid += not result.valid
    return samples_ns, invalid
