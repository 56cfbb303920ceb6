"""An engine in a process of its own, as the comparison sees it: opened, asked for turns, closed.

Engines in one process share what they should not: OpenMP's threads and settings, the allocator, the interpreter's lock.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.job import Job
from benchmarks.scenarios.child import child_environment
from runtime.errors import DeviceError

LIMIT_S = 600.0


class EngineProcess:
    """A child that runs one engine; a context manager.

    Attributes:
        version: of the engine.
        note: what must be known to read its time, or None.
    """

    version: str
    note: str | None

    def __init__(self, job: Job, *, limit_s: float = LIMIT_S) -> None:
        """Opens the engine, which may compile for minutes, and has it label the frames.

        Raises:
            DeviceError: it did not open, or not in time; the message ends with its own last words.
        """
        self.job = job
        self._limit_s = limit_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.peers.child"],  # -P: the folder it is called in shadows no module
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**child_environment(), "OMP_NUM_THREADS": str(job.threads)},
            text=True,
        )
        try:
            answer = self._ask(job.to_json())
        except DeviceError:
            self.close()
            raise
        self.version, self.note = answer["version"], answer["note"]

    def labels(self) -> NDArray[np.uint8]:
        """Its labels of the distinct frames, uint8 [F,H,W]."""
        labels_nhw: NDArray[np.uint8] = np.load(self.job.labels)
        return labels_nhw

    def turn(self, calls: int) -> list[int]:
        """Runs so many frames and returns their nanoseconds.

        Raises:
            DeviceError: the process died or hung.
        """
        times: list[int] = self._ask(str(calls))
        return times

    def close(self) -> None:
        """Ends the process; its end of file is the sign to stop."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # of a line that it did not live to read
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, line: str) -> Any:  # noqa: ANN401  # what JSON holds
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process was started without pipes")
        watch = threading.Timer(self._limit_s, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            watch.cancel()
        if not answer:
            raise DeviceError(self._last_words())
        return json.loads(answer)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        told = lines[-1] if lines else f"no word, exit code {code}"
        return f"{self.job.name}: expected an answer within {self._limit_s:.0f} s, its process ended with: {told}"
