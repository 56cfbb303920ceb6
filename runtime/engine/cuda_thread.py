"""The one thread that a CUDA session runs in.

ONNX Runtime keeps a captured graph, and handles of cuBLAS and cuDNN, for each thread that runs a session (its
PerThreadContext in cuda_execution_provider.cc). In a thread that it has not seen before, a frame would cost a capture
and memory on the GPU, and a capture fails where another thread allocates there meanwhile (cudaStreamCaptureModeGlobal
in cuda_graph.cc). So all runs happen in one thread, whichever asks for them.
"""

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class CudaThread:
    """Runs what it is handed, in order, in a thread of its own that ends when this object dies."""

    def __init__(self, name: str) -> None:
        """Starts it.

        Args:
            name: of the thread.
        """
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # a daemon: a call that hangs in the driver can't be ended, and must not keep the process from ending
        threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()
        weakref.finalize(self, self._jobs.put, None).atexit = False

    def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """Runs function(*arguments) there and waits for it.

        Where the wait is interrupted (Ctrl-C), the call still runs to its end there, and the next one after it.

        Raises:
            What the function raises.
        """
        job = _Job(function, arguments)
        self._jobs.put(job)
        job.done.acquire()
        error, job.error = job.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # a circle of error, frames and job would keep the session on the GPU until gc runs
        answer: Answer = job.answer
        return answer


class _Job:
    """One call, and what came of it."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        self.done = threading.Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        self.answer: Any = None
        self._function, self._arguments = function, arguments

    def run(self) -> None:
        try:
            self.answer = self._function(*self._arguments)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits for it
            self.error = error
        self.done.release()


def _work(jobs: "queue.SimpleQueue[_Job | None]") -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        job.run()
        del job  # or the last frame would live as long as the thread
