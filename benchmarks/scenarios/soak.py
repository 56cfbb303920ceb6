"""Memory over many frames: how much the process grows by, and how sure that is. Reads Linux's /proc only."""

import ctypes
import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency import Segments, measure_latency
from benchmarks.scenarios.memory_slope import memory_slope
from benchmarks.summary import latency_summary, summary_rows
from runtime.errors import UsageError

MOST_READINGS = 1000
KEPT_SAMPLES = 1_000_000  # of the latencies, 8 MB: nine hours at 30 Hz
SETTLING = 0.2  # of the readings, from the first: caches and allocators fill up, which is no leak
SURE = 3.0  # errors above 0, from where a slope is called growth

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, kw_only=True)
class SoakSettings:
    """How much is run: until count and duration are both reached.

    Attributes:
        frames: calls, at least 100: fewer readings carry no error.
        min_duration_s: seconds, 0 or more.
        warmup: calls before, not counted.
    """

    frames: int = 10_000
    min_duration_s: float = 0.0
    warmup: int = 20

    def __post_init__(self) -> None:
        if self.frames < 100 or not 0 <= self.min_duration_s < float("inf") or self.warmup < 0:
            raise UsageError(
                "soak: at least 100 frames, a duration of 0 s or more and 0 warm-up frames were expected, got "
                f"{self.frames}, {self.min_duration_s} and {self.warmup}; correct the numbers"
            )


def resident_bytes() -> int:
    """Returns the memory of this process that is in RAM now (RSS), from /proc/self/statm.

    Raises:
        UsageError: this is not Linux: elsewhere there is no reading of the present, only of the peak, which hides what
            is given back.
    """
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except (OSError, IndexError, ValueError) as error:
        raise UsageError(
            f"soak: expected to read this process's memory in {_STATM}, got {error}; run it on Linux"
        ) from error
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure_soak(
    segmenter: Segments,
    frames: Sequence[npt.NDArray[np.uint8]],
    settings: SoakSettings,
    advance: Callable[[int], object] = lambda _: None,
    read_bytes: Callable[[], int] = resident_bytes,
) -> dict[str, Any]:
    """Runs frames one after another, and reads the memory between them.

    All that this keeps itself has its full size from the beginning: else it would be the leak that it finds.

    Args:
        segmenter: what is measured; left open.
        frames: what `segment` takes, used in turn.
        settings: how much.
        advance: told how many more calls are done, between two measured stretches.
        read_bytes: the memory of this process.

    Returns:
        The result for the record, without `file`. Times are of the last `KEPT_SAMPLES` calls.

    Raises:
        UsageError: this is not Linux.
        FrameError, DeviceError: from the segmenter.
    """
    kept = settings.frames if settings.min_duration_s == 0 else max(settings.frames, KEPT_SAMPLES)
    samples_ms = np.full(min(kept, KEPT_SAMPLES), np.nan)  # written to, so that its pages are there
    readings = _Readings()
    if settings.warmup:
        measure_latency(segmenter, frames, 1, settings.warmup - 1)
    read_bytes()  # first: it says where this can't be measured
    gc.collect()
    _give_back_free_memory()
    began_s, done, invalid = time.monotonic(), 0, 0
    readings.add(0, read_bytes())
    while done < settings.frames or time.monotonic() - began_s < settings.min_duration_s:
        count = readings.interval - done % readings.interval
        count = min(count, settings.frames - done) if done < settings.frames else count
        run = measure_latency(segmenter, frames, count, 0, first=done)
        samples_ms[np.arange(done, done + count) % len(samples_ms)] = run.samples_ms
        done, invalid = done + count, invalid + run.invalid_frames
        if done % readings.interval == 0:
            readings.add(done, read_bytes())
        advance(count)
    duration_s = time.monotonic() - began_s
    read_at, rss_bytes = readings.taken()
    first = int(SETTLING * len(read_at))
    slope, error = memory_slope(read_at[first:], rss_bytes[first:])
    return {
        "frames": done,
        "batch": segmenter.spec.batch,
        "duration_s": duration_s,
        "invalid_frames": invalid,
        "rss": {"frame": read_at.tolist(), "mb": [float(value) / 1e6 for value in rss_bytes]},
        "fitted_from_frame": int(read_at[first]),
        "slope_kb_per_1000": slope,  # bytes a frame are kB in 1,000
        "error_kb_per_1000": error,
        "latency_ms": latency_summary(samples_ms[: min(done, len(samples_ms))]),
    }


def soak_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    slope, error, rss = result["slope_kb_per_1000"], result["error_kb_per_1000"], result["rss"]
    verdict = "it grows" if slope > SURE * error else "no growth shown"
    rows = [
        ("soak", f"{result['frames']} calls in {result['duration_s']:.1f} s"),
        ("memory", f"{rss['mb'][0]:.1f} MB at first, {rss['mb'][-1]:.1f} MB at the end"),
        ("memory slope", f"{slope:+.2f} kB in 1,000 calls, standard error {error:.2f}: {verdict}"),
        ("fitted", f"from call {result['fitted_from_frame']} on"),
    ]
    if result["invalid_frames"]:
        rows.append(("no valid answer", f"{result['invalid_frames']} of {result['frames']} calls"))
    return rows + summary_rows(result["latency_ms"])


def _give_back_free_memory() -> None:
    """Empties what the C library keeps for itself (glibc only), where a small leak would go on for long unseen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class _Readings:
    """Readings at even intervals, never more than fit: where it is full, every second one goes."""

    def __init__(self) -> None:
        self.interval = 1  # calls between two readings
        self._count = 0
        self._values = np.full((2, MOST_READINGS), -1, np.int64)

    def add(self, frame: int, value: int) -> None:
        if self._count == MOST_READINGS:
            half = MOST_READINGS // 2
            self._values[:, :half] = self._values[:, ::2]
            self._count, self.interval = half, 2 * self.interval
        self._values[:, self._count] = frame, value
        self._count += 1

    def taken(self) -> npt.NDArray[np.int64]:
        """Frames and values, int64 [2, N]."""
        return self._values[:, : self._count].copy()
