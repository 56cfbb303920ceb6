"""Forks again and again while a Segmenter is open and at work, and does one thing in each child; prints how each ended.

    python fork_child.py MODEL COUNT [unprotected]

"unprotected" has runtime/fork.py keep nothing, to show what it is there for. Each line: what, exit code (negative:
signal), what the child said.
"""

import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from runtime import fork
from runtime.errors import ForkedError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

LONGEST_S, LONGEST_UNPROTECTED_S = 15, 2


class Child:
    """What a forked child does with what it inherited."""

    def __init__(self, segmenter: Segmenter, frame: np.ndarray, path: str) -> None:
        self.segmenter, self.frame, self.path = segmenter, frame, path

    def run(self) -> str:
        try:
            self.segmenter.segment(self.frame)
        except ForkedError:
            return "ForkedError"
        return "answered"

    def close(self) -> str:
        self.segmenter.close()
        return self.segmenter.health().state.value

    def drop(self) -> str:
        del self.segmenter
        gc.collect()
        return "dropped"

    def leave(self) -> str:
        with self.segmenter:
            return "left"

    def exit(self) -> str:
        sys.exit(0)  # as a worker does

    def make(self) -> str:
        """Opens one of its own, as the error advises."""
        with Segmenter(self.path, provider="cpu", options=EngineOptions(threads=2)) as own:
            return "answered" if own.segment(self.frame).valid else "not valid"


ACTIONS = ("run", "close", "drop", "leave", "exit", "make")


def forked(child: Child, action: str, longest_s: float) -> tuple[int, str]:
    """Forks; the child does the action and then ends as an interpreter ends."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            os.write(writing, getattr(child, action)().encode())
        except Exception:  # noqa: BLE001  # told to the parent
            os.write(writing, traceback.format_exc().encode())
        os.close(writing)
        sys.exit(0)
    os.close(writing)
    status = ended(pid, longest_s)
    with os.fdopen(reading) as told:
        return os.waitstatus_to_exitcode(status), told.read()


def ended(pid: int, longest_s: float) -> int:
    """The status of a child; one that hangs is killed."""
    late = time.monotonic() + longest_s
    while time.monotonic() < late:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    path, count = sys.argv[1], int(sys.argv[2])
    longest_s = LONGEST_S
    if "unprotected" in sys.argv:
        fork.keep, longest_s = lambda *_: None, LONGEST_UNPROTECTED_S
    segmenter = Segmenter(path, provider="cpu", options=EngineOptions(threads=2))
    frame = np.zeros(segmenter.spec.frame_shape, np.uint8)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():  # so that forks fall into a run, and into its lock
            segmenter.segment(frame)

    worker = threading.Thread(target=work)
    worker.start()
    child = Child(segmenter, frame, path)
    for number in range(count):
        action = ACTIONS[number % len(ACTIONS)]
        code, said = forked(child, action, longest_s)
        print(json.dumps([action, code, said]), flush=True)  # noqa: T201  # what the test reads
        if code != 0:  # the test fails by it; the others may take as long
            break
    over.set()
    worker.join()
    print(json.dumps(["parent", 0, str(segmenter.segment(frame).valid)]), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()
