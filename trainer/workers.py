"""The processes that read frames: started, watched, and ended; knows neither data set nor network.

PyTorch notices a worker that died (a signal, raised wherever the main process happens to be) and one that hands over
nothing within the timeout; its messages name neither the frame nor what to do, and a stopped worker outlives the run.
"""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from runtime.errors import DataError, SegtoolError

T = TypeVar("T")

NOTHING = -1
GRACE_S = 2.0  # for a killed worker to be gone


class Watched(Dataset[T]):
    """A data set that notes, where every process can see it, which frame each worker is reading.

    Args:
        names: of the frames, by number.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._reading: torch.Tensor | None = None

    def watch(self, workers: int) -> None:
        """Makes room for the notes of so many workers; before they start."""
        self._reading = torch.full((workers,), NOTHING, dtype=torch.int64).share_memory_() if workers else None

    def note(self, number: int) -> None:
        """Says, in a worker, which frame it reads now, or `NOTHING`."""
        info = get_worker_info()
        if info is not None and self._reading is not None:
            self._reading[info.id] = number

    def read_by(self, worker: int) -> str | None:
        """The name of the frame that a worker is reading."""
        number = NOTHING if self._reading is None else int(self._reading[worker])
        return None if number == NOTHING else self.names[number]


class WatchedLoader(DataLoader[T]):
    """A DataLoader over `Watched` that can say what its workers were doing.

    Attributes:
        handed_over: batches of the present pass so far; None between passes.
        given_up: the worker that was ended because nothing came from it.
    """

    handed_over: int | None = None
    given_up: int | None = None

    def processes(self) -> list[BaseProcess]:
        """The workers; PyTorch has no public way to persistent ones."""
        return list(getattr(getattr(self, "_iterator", None), "_workers", ()))

    def watched_batches(self) -> Iterator[T]:
        """One pass, in which no wait is longer than the timeout and a few seconds.

        PyTorch's own timeout does not cover the moment in which a batch's memory is fetched from its worker: stopped
        right then, a worker would be waited for for ever.
        """
        self.handed_over = 0
        batches = iter(self)
        while True:
            timer = threading.Timer(self.timeout + GRACE_S, self._give_up)
            timer.daemon = True
            if self.processes():
                timer.start()
            try:
                batch = next(batches)
            except StopIteration:
                break
            finally:
                timer.cancel()
            self.handed_over += 1
            yield batch
        self.handed_over = None

    def failure(self, error: Exception) -> DataError | None:
        """What an error means, if it tells of a worker of this loader."""
        workers = self.processes()
        if workers and isinstance(error, EOFError | ConnectionError):
            wait([worker.sentinel for worker in workers], GRACE_S)  # the line broke, its end is about to
        ended = [number for number, worker in enumerate(workers) if not worker.is_alive()]
        awaited = None  # batches are dealt out in turns, anew in each pass
        if self.handed_over is not None and workers and str(error).startswith("DataLoader timed out"):
            awaited = self.handed_over % len(workers)
        hung = awaited if self.given_up is None else self.given_up
        if hung is not None and (ended in ([], [hung])):
            return self._failed(hung, workers[hung], f"nothing came for {self.timeout:g} s: it is stopped or hangs")
        if ended:
            return self._failed(ended[0], workers[ended[0]], f"it ended {_ending(workers[ended[0]].exitcode)}")
        return None

    def _give_up(self) -> None:
        workers = self.processes()
        if workers and self.handed_over is not None:
            self.given_up = self.handed_over % len(workers)
            workers[self.given_up].kill()  # the main process, waiting for it, wakes up with an error

    def _failed(self, number: int, worker: BaseProcess, what: str) -> DataError:
        name = self.dataset.read_by(number) if isinstance(self.dataset, Watched) else None
        doing = "between two frames" if name is None else f"while reading {name}"
        return DataError(
            f"{name or 'loader'}: expected the next batch from loader worker {number} (process {worker.pid}), "
            f"but {what} {doing}; look at that file, at the disk and at free memory, then go on with --resume, "
            "with fewer --workers where memory was short"
        )

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the workers, while they can still be told to; without workers, does nothing.

        Left to the interpreter's exit, a worker is sometimes killed first and reported as a failure.

        Args:
            at_once: after a failure: they are not asked but ended, stopped and hung ones too.
        """
        iterator = getattr(self, "_iterator", None)
        if not self.processes() or iterator is None:
            return
        with _unwatched():
            if at_once:
                _end(self.processes())
            iterator._shutdown_workers()  # PyTorch has no public way to end persistent workers
            _end([worker for worker in self.processes() if worker.is_alive()])


@contextmanager
def attended(*loaders: WatchedLoader[T]) -> Iterator[None]:
    """Ends the workers of these loaders on the way out, and says which of them failed.

    PyTorch raises about a dead worker wherever the main process happens to be, so perhaps in here, too: a second
    `attended` around this one takes what this one then misses.

    Raises:
        DataError: a worker's end or silence was behind the error that came.
    """
    failure, well = None, False
    try:
        yield
        well = True
    except SegtoolError:
        raise
    except (RuntimeError, OSError, EOFError) as error:
        with _unwatched():
            failure = next(filter(None, (loader.failure(error) for loader in loaders)), None)
        if failure is None:
            raise
        raise failure from error
    finally:
        for loader in loaders:
            loader.stop(at_once=not well)


@contextmanager
def _unwatched() -> Iterator[None]:
    """Keeps PyTorch's handler from raising about workers that are ended on purpose or known to be gone."""
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGCHLD, _let_pass)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)


def _let_pass(number: int, frame: FrameType | None) -> None:
    pass  # not SIG_DFL: Python would complain about a signal that came just before


def _end(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        worker.kill()  # as the only signal, it ends a stopped process too
    for worker in workers:
        worker.join(GRACE_S)


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"by {signal.Signals(-exit_code).name}"
    return f"with exit code {exit_code}"


def prepare_worker(worker: int) -> None:  # noqa: ARG001 (torch passes it)
    """What each worker does first."""
    # Ctrl-C and a supervisor's SIGTERM reach the whole process group: the main process saves and ends, and its workers
    # must serve until then, so they leave the group. SIGTERM is also how the main process ends them: it must work, and
    # not run the handler that the fork copied.
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
