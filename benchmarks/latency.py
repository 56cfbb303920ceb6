"""Runs frames through a Segmenter, one at a time, and keeps each one's time. Knows no percentiles."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError
from runtime.segmenter import Segmenter
from trainer.data.augment import fit
from trainer.data.dataset import Dataset

DISTINCT_FRAMES = 32  # at most; enough that no cache holds them all at a camera's size, few enough to keep in memory


@dataclass(frozen=True, kw_only=True)
class LatencyRun:
    """The times of one measured run.

    Attributes:
        samples_ms: float64 [N], each frame's time from the call of `segment` to its return, in the order of the run.
        wall_s: seconds from before the first measured frame to after the last.
        warmup_frames: frames that ran before and were not measured.
        warmup_ms: float64 [warmup_frames], their times; the first is the file's very first frame where the Segmenter
            was opened without a warm-up of its own.
        distinct_frames: how many different frames were used in turn.
        invalid_frames: measured frames whose result held label 255 (no valid answer).
    """

    samples_ms: npt.NDArray[np.float64]
    wall_s: float
    warmup_frames: int
    warmup_ms: npt.NDArray[np.float64]
    distinct_frames: int
    invalid_frames: int

    @property
    def frames_per_s(self) -> float:
        """Frames per second of wall clock, one after another."""
        return len(self.samples_ms) / self.wall_s


def noise_frames(height_px: int, width_px: int, count: int, seed: int) -> list[npt.NDArray[np.uint8]]:
    """Makes frames of uniform noise, the same for the same seed.

    Returns:
        At most `DISTINCT_FRAMES` images, uint8 [H, W, 3], each 0..255.
    """
    generator = np.random.default_rng(seed)
    shape = (height_px, width_px, 3)
    return [generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(min(count, DISTINCT_FRAMES))]


def real_frames(
    dataset: Dataset, split: str, height_px: int, width_px: int, count: int, seed: int
) -> list[npt.NDArray[np.uint8]]:
    """Reads frames of a data set at the network's size, chosen by the seed without repetition.

    Returns:
        At most `DISTINCT_FRAMES` images, uint8 [H, W, 3] RGB, contiguous.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """
    available = len(dataset.frames(split))
    chosen = np.random.default_rng(seed).permutation(available)[: min(count, DISTINCT_FRAMES)]
    frames = [fit(dataset.read(split, int(index)), height_px, width_px) for index in chosen]
    return [np.ascontiguousarray(frame.image_hwc) for frame in frames]


def measure_latency(
    segmenter: Segmenter, frames: Sequence[npt.NDArray[np.uint8]], count: int, warmup: int
) -> LatencyRun:
    """Runs `warmup` frames apart, then `count` frames one after another, each timed with the monotonic clock.

    The label map goes into one buffer that is used again, as an embedding program would do it. Nothing is printed or
    drawn meanwhile.

    Args:
        segmenter: an open one; left open.
        frames: uint8 [H, W, 3] RGB at the network's size, made beforehand, used in turn.
        count: frames to measure, at least 1.
        warmup: frames to run before, 0 or more.

    Raises:
        UsageError: no frame, or a count out of range.
        FrameError, DeviceError: from the Segmenter.
    """
    if not frames or count < 1 or warmup < 0:
        raise UsageError(
            "a run needs at least 1 frame to measure, 1 distinct frame and 0 warm-up frames, "
            f"got {count}, {len(frames)} and {warmup}; correct the numbers"
        )
    labels_hw = np.empty(frames[0].shape[:2], dtype=np.uint8)
    warmup_ns, _ = _run_frames(segmenter, frames, warmup, labels_hw)
    start_ns = time.perf_counter_ns()
    samples_ns, invalid = _run_frames(segmenter, frames, count, labels_hw)
    wall_ns = time.perf_counter_ns() - start_ns
    return LatencyRun(
        samples_ms=samples_ns / 1e6,
        wall_s=wall_ns / 1e9,
        warmup_frames=warmup,
        warmup_ms=warmup_ns / 1e6,
        distinct_frames=len(frames),
        invalid_frames=invalid,
    )


def _run_frames(
    segmenter: Segmenter, frames: Sequence[npt.NDArray[np.uint8]], count: int, labels_hw: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], int]:
    """Returns each call's nanoseconds, int64 [count], and how many results were not valid."""
    samples_ns = np.empty(count, dtype=np.int64)
    invalid = 0
    for index in range(count):
        frame = frames[index % len(frames)]
        before_ns = time.perf_counter_ns()
        result = segmenter.segment(frame, out=labels_hw)
        samples_ns[index] = time.perf_counter_ns() - before_ns
        invalid += not result.valid
    return samples_ns, invalid
