"""Whether a file keeps a camera's pace: frames come when they come, and each is to be answered within a budget.

Three passes. Back to back, what a call costs. `every`: each planned frame is served in turn, so that a backlog is seen
in full. `newest`: the runtime's Stream, which leaves out what is too old, as a vehicle runs it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency import measure_latency
from benchmarks.scenarios.load import Load, busy
from benchmarks.scenarios.newest import run_newest
from benchmarks.scenarios.open_loop import OpenLoopRun, planned_captures_ns, serve_every, settled_heap
from benchmarks.scenarios.timeline import timeline
from benchmarks.summary import latency_summary, spread, summary_rows
from runtime.errors import UsageError
from runtime.segmenter import Segmenter

MOST_MISSED = 0.001  # of all frames, in either pass

Advance = Callable[[int], object]
Frames = Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """The cameras, and how much is measured.

    Attributes:
        rate_hz: frames per second of each camera, over 0 and at most 1000.
        budget_ms: from capture to labels; a period where None.
        cameras: on one engine, 1 to 64, that all capture at the same moments.
        frames: of each camera in each pass, at least 1.
        warmup: calls before, not measured.
        back_to_back: calls of that pass, at least 1; 200 are enough for its p90.
        load: busy work beside all three passes.
    """

    rate_hz: float = 30.0
    budget_ms: float | None = None
    cameras: int = 1
    frames: int = 1000
    warmup: int = 20
    back_to_back: int = 200
    load: Load = field(default_factory=Load)

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz <= 1000 or not 0 < self.deadline_ms <= 1e6:
            raise UsageError(
                "camera: a rate over 0 and up to 1000 Hz and a budget over 0 and up to 1e6 ms were expected, got "
                f"{self.rate_hz} and {self.budget_ms}; correct the numbers"
            )
        if not 1 <= self.cameras <= 64 or min(self.frames, self.back_to_back) < 1 or self.warmup < 0:
            raise UsageError(
                "camera: 1 to 64 cameras, at least 1 frame, 1 frame back to back and 0 warm-up frames were expected, "
                f"got {self.cameras}, {self.frames}, {self.back_to_back} and {self.warmup}; correct the numbers"
            )

    @property
    def deadline_ms(self) -> float:
        """The budget, where none was given one period."""
        return self.budget_ms if self.budget_ms is not None else 1e3 / self.rate_hz

    @property
    def steps(self) -> int:
        """What `advance` is told of, all in all."""
        return self.back_to_back + 2 * self.frames * self.cameras


def measure_camera(
    segmenter: Segmenter, frames: Frames, settings: CameraSettings, advance: Advance = lambda _: None
) -> dict[str, Any]:
    """Runs the three passes, one after another.

    Args:
        segmenter: what is measured; left open, and used by no one else meanwhile.
        frames: what `segment` takes, used in turn.
        settings: the cameras.
        advance: told how many more frames are done, `settings.steps` in all, while none is due.

    Returns:
        The result for the record, without `file`.

    Raises:
        UsageError: a file for batches: a camera's frame does not wait for others.
        FrameError, DeviceError: from the segmenter.
        MissingPackage, ProviderUnavailable: the load can't be made here.
    """
    if segmenter.spec.batch != 1:
        raise UsageError(
            f"{segmenter.where}: expected a file for one frame at a time, got one for {segmenter.spec.batch}; "
            "export it with --batch 1, or measure it with --scenario offline"
        )
    with busy(settings.load), settled_heap():
        back_to_back = measure_latency(segmenter, frames, settings.back_to_back, settings.warmup)
        advance(settings.back_to_back)
        planned_ns = planned_captures_ns(settings.rate_hz, settings.frames, settings.cameras)
        every = every_result(serve_every(segmenter, frames, planned_ns, advance=advance), settings.deadline_ms)
        newest = run_newest(
            segmenter,
            frames,
            rate_hz=settings.rate_hz,
            budget_ms=settings.deadline_ms,
            max_age_ms=3 * settings.deadline_ms,  # as the Stream's own defaults have it
            frames_each=settings.frames,
            cameras=settings.cameras,
            advance=advance,
        )
    return {
        "rate_hz": settings.rate_hz,
        "budget_ms": settings.deadline_ms,
        "cameras": settings.cameras,
        "load": asdict(settings.load),
        "back_to_back": latency_summary(back_to_back.samples_ms),
        "every": every,
        "newest": newest,
        "holds": holds(every, newest),
    }


def every_result(run: OpenLoopRun, deadline_ms: float) -> dict[str, Any]:
    """Returns `every` of the result; a frame is missed where its answer came over `deadline_ms` after its capture."""
    return {
        "frames": len(run.planned_ns),
        "latency_ms": latency_summary(run.latency_ms),
        "misses": int((run.latency_ms > deadline_ms).sum()),
        "invalid": run.invalid_frames,
        "jitter_ms": spread(run.jitter_ms),
        "timeline": timeline(run.planned_ns / 1e9, run.latency_ms),
        "samples_ms": [round(float(sample), 4) for sample in run.latency_ms],
    }


def holds(every: Mapping[str, Any], newest: Mapping[str, Any]) -> bool:
    """Whether the pace is held: in both passes at most `MOST_MISSED` of all frames had no answer in time.

    In `every` these are the misses and what had no valid answer (a frame that was both counts twice); in `newest` all
    frames that did not end as ok: late, dropped, stale, invalid or failed. So both passes' p99, and p99.9, lie within
    the budget. With fewer than 1,000 frames not one may be missed, which proves less: the number of frames belongs
    beside the answer.
    """
    missed = newest["frames"] - newest["ok"]
    unserved = every["misses"] + every["invalid"]
    return bool(unserved <= MOST_MISSED * every["frames"] and missed <= MOST_MISSED * newest["frames"])


def camera_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    every, newest, load = result["every"], result["newest"], result["load"]
    cameras = "a camera" if result["cameras"] == 1 else f"{result['cameras']} cameras"
    rows = [("pace", f"{cameras} at {result['rate_hz']:g} Hz, budget {result['budget_ms']:.1f} ms")]
    if load["cpu"] or load["gpu"]:
        rows.append(("load beside it", f"{load['cpu']} busy processes, {100 * load['gpu']:.0f} % of the GPU"))
    shown = ", ".join(f"{name} {value:.2f} ms" for name, value in result["back_to_back"]["percentiles"].items())
    rows.append(("back to back", shown or f"at most {result['back_to_back']['max']:.2f} ms"))
    rows += summary_rows(every["latency_ms"], "every frame")
    rows.append(("every frame missed", f"{every['misses']} of {every['frames']}"))
    if every["invalid"]:
        rows.append(("no valid answer", f"{every['invalid']} of {every['frames']}"))
    rows += summary_rows(newest["age_ms"], "newest, age")
    counted = ", ".join(f"{newest[name]} {name}" for name in ("ok", "late", "dropped", "stale", "invalid", "failed"))
    rows.append(("newest ended", f"{counted}, of {newest['frames']}"))
    for what, run in (("every frame", every), ("newest", newest)):
        jitter = ", ".join(f"{name} {value:.3f} ms" for name, value in run["jitter_ms"].items())
        rows.append((f"{what}, begun late by", jitter or "too few frames were waited for"))
    rows.append(("holds the pace", "yes" if result["holds"] else "no"))
    return rows
