"""Runs the cameras through the runtime's Stream, as a vehicle does: the newest frame of each, how old its answer is."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.scenarios.open_loop import at_pace, planned_captures_ns
from benchmarks.scenarios.timeline import timeline
from benchmarks.summary import latency_summary, spread
from runtime.errors import DeviceError
from runtime.segmenter import Segmenter
from runtime.stream import CameraCounts, Outcome, Stream, StreamResult

_HANG_MS = 60_000.0  # a network that is far too slow is to be measured, not to be given up as hung
OUTCOMES = tuple(outcome.value for outcome in Outcome)


def run_newest(
    segmenter: Segmenter,
    frames: Sequence[npt.NDArray[np.uint8]],
    *,
    rate_hz: float,
    budget_ms: float,
    max_age_ms: float,
    frames_each: int,
    cameras: int,
    advance: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Hands in frames at their planned capture times and counts how each ended.

    Args:
        segmenter: what is measured; left open, and used by no one else meanwhile.
        frames: what `segment` takes, used in turn.
        rate_hz: of each camera.
        budget_ms: an answer older than this is late.
        max_age_ms: a frame older than this at its turn is stale.
        frames_each: of each camera.
        cameras: all capture at the same moments.
        advance: told how many more frames are handed in, while none is due.

    Returns:
        `newest` of the camera scenario's result.

    Raises:
        DeviceError: no frame was answered, or not every frame is accounted for.
    """
    names = tuple(f"camera{number + 1}" for number in range(cameras))
    ended: Counter[str] = Counter()
    answers: list[tuple[int, float]] = []  # no StreamResult: its label map would be kept, too
    reasons: list[str] = []

    def take(result: StreamResult) -> None:
        ended[result.outcome.value] += 1
        if result.labels is not None:
            answers.append((result.captured_ns, result.age_ms))
        elif not reasons:
            reasons.append(result.reason)

    with Stream(segmenter, budget_ms, max_age_ms, on_result=take, hang_ms=_HANG_MS) as stream:
        began_ns, lags_ms = _submit_all(stream, frames, planned_captures_ns(rate_hz, frames_each), names, advance)
        _drain(stream, (max_age_ms + _HANG_MS) / 1e3)
    counts = stream.health().cameras
    require_all_ended(counts, ended, frames_each, stream.health().undelivered)
    if not answers:
        raise DeviceError(
            f"{segmenter.where}: expected an answer to at least 1 of {frames_each * cameras} frames, got none: "
            f"{reasons[0]}; try the file with `segtool predict`"
        )
    captured_ns, ages_ms = (np.array(column) for column in zip(*sorted(answers), strict=True))
    return {
        "frames": frames_each * cameras,
        "age_ms": latency_summary(ages_ms),
        **{outcome: sum(getattr(each, outcome) for each in counts.values()) for outcome in OUTCOMES},
        "per_camera": {name: _counted(each) for name, each in counts.items()} if cameras > 1 else {},
        "jitter_ms": spread(lags_ms),
        "timeline": timeline((captured_ns - began_ns) / 1e9, ages_ms),
    }


def require_all_ended(
    counts: Mapping[str, CameraCounts], told: Mapping[str, int], frames_each: int, undelivered: int = 0
) -> None:
    """Refuses figures that do not add up: each frame ends once, and the stream tells of each once.

    Args:
        counts: the stream's, by camera, after it was closed.
        told: results by outcome.
        frames_each: handed in by each camera.
        undelivered: ends that the stream did not tell of, for more came at once than it keeps.

    Raises:
        DeviceError: the numbers differ.
    """
    for name, each in counts.items():
        if each.submitted != frames_each or sum(_counted(each)[outcome] for outcome in OUTCOMES) != frames_each:
            raise DeviceError(f"{name}: expected {frames_each} frames in and ended, got {each}; measure again")
    total = {outcome: sum(getattr(each, outcome) for each in counts.values()) for outcome in OUTCOMES}
    if sum(told.values()) + undelivered != sum(total.values()) or any(told[each] > total[each] for each in told):
        raise DeviceError(f"the stream: expected to be told of {total}, was told of {dict(told)}; measure again")


def _submit_all(
    stream: Stream,
    frames: Sequence[npt.NDArray[np.uint8]],
    planned_ns: npt.NDArray[np.int64],
    names: Sequence[str],
    advance: Callable[[int], object],
) -> tuple[int, npt.NDArray[np.float64]]:
    """Returns when it began, and by how many milliseconds each moment's first frame was handed in late."""
    lags_ns, began_ns = np.zeros(len(planned_ns), np.int64), 0

    def told(moments: int) -> None:
        advance(moments * len(names))

    for index, due_ns, _ in at_pace(planned_ns, advance=told):
        lags_ns[index] = time.monotonic_ns() - due_ns
        began_ns = due_ns - int(planned_ns[index])
        for number, name in enumerate(names):
            stream.submit(frames[(index * len(names) + number) % len(frames)], index, due_ns, name)
    return began_ns, lags_ns / 1e6


def _drain(stream: Stream, most_s: float) -> None:
    """Lets the last frames end, which `close` would end as failed."""
    end_s = time.monotonic() + most_s
    while any(counts.pending for counts in stream.health().cameras.values()) and time.monotonic() < end_s:
        time.sleep(0.002)


def _counted(counts: CameraCounts) -> dict[str, int]:
    return {"frames": counts.submitted, **{outcome: getattr(counts, outcome) for outcome in OUTCOMES}}
