"""The process of one engine: opens it, labels the frames, then runs a turn whenever it is told to.

Started as `python -m benchmarks.peers.child`. It reads a `Job` as a line of JSON on stdin and answers by another:
version and note. Then each line on stdin is a number of calls, answered by their nanoseconds; the end of stdin ends it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.job import Job, Label


def main() -> None:
    """Serves one engine until stdin ends."""
    from benchmarks.peers.catalogue import ENGINES

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an engine prints must not stand between the answers
    job = Job.from_json(sys.stdin.readline())
    opened = ENGINES[job.name].opens(job)
    frames = list(np.load(job.frames))
    # the first call compiles or allocates at times; these labels are not timed
    np.save(job.labels, np.stack([opened.label(frame).copy() for frame in frames]))
    _answer(answers, {"version": opened.version, "note": opened.note})
    done = 0
    for line in sys.stdin:
        calls, first = int(line), done % len(frames)
        _answer(answers, timed_turn(opened.label, [*frames[first:], *frames[:first]], calls, time.perf_counter_ns))
        done += calls


def timed_turn(label: Label, frames: list[NDArray[np.uint8]], calls: int, clock_ns: Callable[[], int]) -> list[int]:
    """Labels frames in turn, from the first on, after one frame that is not timed: the caches held another engine's.

    Args:
        label: the engine.
        frames: uint8 [H,W,3] each.
        calls: to time.
        clock_ns: monotonic.

    Returns:
        Nanoseconds of each call.
    """
    label(frames[-1])
    found = []
    for frame in islice(cycle(frames), calls):
        before_ns = clock_ns()
        label(frame)
        found.append(clock_ns() - before_ns)
    return found


def _answer(answers: TextIO, value: object) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
