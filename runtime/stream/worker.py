"""The threads of a stream: one that runs frames, and one that watches it."""

import threading

from ..errors import DeviceLostError
from ..events import OnEvent, tell
from .core import RUN_CLOCK_NS, Core, Run
from .models import Model

_CLOSED = "the stream was closed"


class Worker:
    """Runs the frames of a Core, and notices where a run hangs."""

    def __init__(self, core: Core, hang_ms: float, on_event: OnEvent | None) -> None:
        """Starts both threads.

        Args:
            core: whose frames.
            hang_ms: a run longer than this hangs.
            on_event: is told what goes wrong.
        """
        self._core, self._hang_ms, self._on_event = core, hang_ms, on_event
        self._closing = threading.Event()
        self._lost = False
        self._take_over()
        self._watchdog = threading.Thread(target=self._watch, name="segtool-watchdog", daemon=True)
        self._watchdog.start()

    def close(self) -> bool:
        """Ends both; returns whether the worker has ended, and not hung for longer than hang_ms."""
        self._closing.set()
        self._core.block(_CLOSED)
        for thread in (self._watchdog, self._thread):
            if thread is not threading.current_thread():
                thread.join(self._hang_ms / 1e3)
        return not self._thread.is_alive()

    def go_back(self, model: Model, why: str, *, hung: bool = False) -> bool:
        """Has the model before this one run again.

        Args:
            model: that runs now, as the caller has seen it.
            why: for the event.
            hung: the model is in a run that does not end: another thread takes over, and the one that hangs closes it.

        Returns:
            Whether it did: not where there is none before it, or it does not run any more.
        """
        models = self._core.models
        with self._core.lock:
            if models.current is not model or models.go_back() is None:
                return False
            if hung:
                self._take_over()
        if not hung:
            model.close()  # after the frame that it may be at
        told = f"{models.current.segmenter.where} runs again: {why}"
        tell(self._on_event, "stream.rolled_back", told, {"sha256": models.current.segmenter.sha256})
        return True

    def _take_over(self) -> None:
        """Puts a new thread in charge; one that was before ends when its run comes back."""
        self._thread = threading.Thread(target=self._work, name="segtool-worker", daemon=True)
        self._thread.start()

    def _in_charge(self) -> bool:
        return self._thread is threading.current_thread() and not self._closing.is_set()

    def _work(self) -> None:
        core = self._core
        while True:
            with core.arrived:
                run = None
                while self._in_charge() and (run := core.next_run()) is None:
                    core.arrived.wait()
            if run is None:
                return
            in_time = self._run(run)
            if not self._in_charge():
                if self._thread is not threading.current_thread():
                    run.model.close()  # it hung and was replaced; nobody else can
                return
            if not in_time and not self._lost:
                core.unblock()
                tell(self._on_event, "stream.recovered", "the run that hung came back; its answer is thrown away")

    def _run(self, run: Run) -> bool:
        """Runs a frame; returns whether it ended before the watchdog gave it up."""
        try:
            result = run.model.segmenter.segment(run.ticket.frame)
            return self._core.answer(run, result)
        except Exception as error:  # noqa: BLE001  # a worker that dies in silence is what this is to prevent
            in_time = self._core.fail(run, str(error))
            if in_time and self.go_back(run.model, str(error)):
                return True
            if isinstance(error, DeviceLostError):
                self._lost = True
                self._core.block(f"the device is lost, restart the process: {error}")
            return in_time

    def _watch(self) -> None:
        pause_ms = self._hang_ms
        while not self._closing.wait(pause_ms / 1e3):
            run = self._core.run
            # a run that begins while this sleeps ends its time no earlier than hang_ms after the sleep began
            left_ms = self._hang_ms if run is None else self._hang_ms - (RUN_CLOCK_NS() - run.started_ns) / 1e6
            pause_ms = left_ms if left_ms > 0 else self._hang_ms
            if run is not None and left_ms <= 0:
                self._give_up(run)

    def _give_up(self, run: Run) -> None:
        reason = (
            f"the engine has not answered for {self._hang_ms:g} ms; a call that hangs can't be ended inside a process: "
            "restart the process if it stays so"
        )
        if not self._core.give_up(run, reason):
            return
        told = f"{run.ticket.camera} {run.ticket.frame_id}: {reason}"
        tell(self._on_event, "stream.hung", told)
        if not self.go_back(run.model, reason, hung=True):
            self._core.block(reason)
