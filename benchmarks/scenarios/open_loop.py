"""Serves frames of a camera that does not wait: each in its turn, timed from when it was to be captured.

A loop that starts its clock when it gets round to a frame forgets the time that frame has waited; so one slow frame,
and all that queue behind it, would count once (coordinated omission, G. Tene, "How NOT to Measure Latency").
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.latency import Segments, answer_buffers

_IDLE_NS = 2_000_000  # before a frame is due: enough to tell of progress without being late for it


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenLoopRun:
    """What became of each planned frame.

    Attributes:
        planned_ns: int64 [N], capture times since the run began.
        started_ns: int64 [N], when the call began.
        done_ns: int64 [N], when it returned.
        awaited: bool [N], the loop was idle when the frame was due; else it was behind.
        invalid_frames: answers that held label 255.
    """

    planned_ns: npt.NDArray[np.int64]
    started_ns: npt.NDArray[np.int64]
    done_ns: npt.NDArray[np.int64]
    awaited: npt.NDArray[np.bool_]
    invalid_frames: int

    @property
    def latency_ms(self) -> npt.NDArray[np.float64]:
        """From the planned capture time to the answer, float64 [N]."""
        return (self.done_ns - self.planned_ns) / 1e6

    @property
    def jitter_ms(self) -> npt.NDArray[np.float64]:
        """How late the loop began the frames that it was waiting for, float64 [up to N]: the wake-up, not the queue."""
        return (self.started_ns - self.planned_ns)[self.awaited] / 1e6


def planned_captures_ns(rate_hz: float, frames: int, cameras: int = 1) -> npt.NDArray[np.int64]:
    """Returns the capture times of all cameras, int64 [frames * cameras], in their order, from 0.

    All cameras capture at the same moment, as those of a vehicle on one trigger do. It is also the hardest case for one
    engine: the last camera's frame waits for all others.

    Args:
        rate_hz: of each camera.
        frames: of each camera.
        cameras: how many.
    """
    moments = np.rint(np.arange(frames) * (1e9 / rate_hz)).astype(np.int64)  # no sum of rounded periods: no drift
    return np.repeat(moments, cameras)


def at_pace(
    planned_ns: npt.NDArray[np.int64],
    *,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], object] = time.sleep,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[tuple[int, int, bool]]:
    """Yields at each planned time, and at once where that is over: what comes late does not shift the plan.

    Args:
        planned_ns: int64 [N], ascending, from 0, which is the moment of the first step.
        clock_ns: nanoseconds, monotonic.
        sleep: waits for seconds.
        advance: told how many more are done, only while nothing is due for a while.

    Yields:
        The place in the plan, the planned time on the clock, and whether it was waited for.
    """
    told, began_ns = 0, clock_ns()
    for index, offset_ns in enumerate(planned_ns.tolist()):
        due_ns = began_ns + offset_ns
        left_ns = due_ns - clock_ns()
        awaited = left_ns > 0
        if left_ns > _IDLE_NS:
            advance(index - told)
            told = index
        while (left_ns := due_ns - clock_ns()) > 0:
            sleep(left_ns / 1e9)
        yield index, due_ns, awaited
    advance(len(planned_ns) - told)


def serve_every(
    segmenter: Segments,
    frames: Sequence[npt.NDArray[np.uint8]],
    planned_ns: npt.NDArray[np.int64],
    *,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], object] = time.sleep,
    advance: Callable[[int], object] = lambda _: None,
) -> OpenLoopRun:
    """Sleeps until a frame is due, serves it, and goes right on where it is behind. No frame is left out.

    Args:
        segmenter: what is measured; left open.
        frames: what `segment` takes, used in turn.
        planned_ns: as `at_pace` has it, like what follows.
        clock_ns: likewise.
        sleep: likewise.
        advance: likewise.

    Raises:
        FrameError, DeviceError: from the segmenter.
    """
    started_ns, done_ns = np.zeros(len(planned_ns), np.int64), np.zeros(len(planned_ns), np.int64)
    awaited = np.zeros(len(planned_ns), np.bool_)
    outs, invalid = answer_buffers(segmenter.spec), 0
    for index, due_ns, waited in at_pace(planned_ns, clock_ns=clock_ns, sleep=sleep, advance=advance):
        began_ns = clock_ns()
        result = segmenter.segment(frames[index % len(frames)], *outs)
        ended_ns = clock_ns()
        plan_ns = due_ns - int(planned_ns[index])  # its beginning, on the clock
        started_ns[index], done_ns[index] = began_ns - plan_ns, ended_ns - plan_ns
        awaited[index] = waited
        invalid += not result.valid
    return OpenLoopRun(
        planned_ns=planned_ns, started_ns=started_ns, done_ns=done_ns, awaited=awaited, invalid_frames=invalid
    )


@contextmanager
def settled_heap() -> Iterator[None]:
    """Runs a measurement as a vehicle should run its loop: what is there already is collected, then scanned no more.

    The collector stays on: what the loop itself makes is its own to pay for.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
