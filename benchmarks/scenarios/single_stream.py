"""The next frame when the last one is done (MLPerf's single stream): what one call costs, and nothing of a pace."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency import LatencyRun, Segments, measure_latency
from benchmarks.scenarios.load import Load, busy
from benchmarks.summary import latency_summary, summary_rows
from runtime.errors import UsageError

AT_ONCE = 100  # calls between two looks at the clock and the progress bar


@dataclass(frozen=True, kw_only=True)
class SingleStreamSettings:
    """How much is measured: until count and duration are both reached.

    Attributes:
        frames: calls to measure, at least 1.
        min_duration_s: seconds that these take at least, 0 or more.
        warmup: calls before, not measured.
        load: busy work beside it.
    """

    frames: int = 1000
    min_duration_s: float = 0.0
    warmup: int = 20
    load: Load = field(default_factory=Load)

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.min_duration_s < float("inf") or self.warmup < 0:
            raise UsageError(
                "single-stream: at least 1 frame, a duration of 0 s or more and 0 warm-up frames were expected, got "
                f"{self.frames}, {self.min_duration_s} and {self.warmup}; correct the numbers"
            )


def measure_single_stream(
    segmenter: Segments,
    frames: Sequence[npt.NDArray[np.uint8]],
    settings: SingleStreamSettings,
    advance: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Runs frames one after another until there are enough of them and the time is over.

    Args:
        segmenter: what is measured; left open.
        frames: what `segment` takes, used in turn.
        settings: how much.
        advance: told how many more calls are done, between two measured stretches.

    Returns:
        The result for the record, without `file`.

    Raises:
        FrameError, DeviceError: from the segmenter.
        MissingPackage, ProviderUnavailable: the load can't be made here.
    """
    runs: list[LatencyRun] = []
    done, wall_s, warmup = 0, 0.0, settings.warmup
    with busy(settings.load):
        while done < settings.frames or wall_s < settings.min_duration_s:
            count = min(AT_ONCE, settings.frames - done) if done < settings.frames else AT_ONCE
            runs.append(measure_latency(segmenter, frames, count, warmup, first=done))
            done, wall_s, warmup = done + count, wall_s + runs[-1].wall_s, 0
            advance(count)
    samples_ms = np.concatenate([run.samples_ms for run in runs])
    first = runs[0].warmup_ms
    return {
        "frames": done,
        "batch": runs[0].batch,
        "load": asdict(settings.load),
        "wall_s": wall_s,
        "frames_per_s": done * runs[0].batch / wall_s,
        "invalid_frames": sum(run.invalid_frames for run in runs),
        "first_frame_ms": float(first[0]) if len(first) else None,
        "latency_ms": latency_summary(samples_ms),
        "samples_ms": [round(float(sample), 4) for sample in samples_ms],
    }


def single_stream_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    rows = [("measured", f"{result['frames']} calls in {result['wall_s']:.1f} s")]
    if result["invalid_frames"]:
        rows.append(("no valid answer", f"{result['invalid_frames']} of {result['frames']} calls"))
    if result["first_frame_ms"] is not None:
        rows.append(("first frame", f"{result['first_frame_ms']:.2f} ms"))
    rows += summary_rows(result["latency_ms"])
    rows.append(("throughput", f"{result['frames_per_s']:.1f} frames/s, one call after another"))
    return rows
