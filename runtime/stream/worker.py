"""The threads of a stream: one that runs frames, and one that watches it."""

import threading
from collections.abc import Callable

from ..errors import DeviceLostError
from ..events import OnEvent, tell
from .core import RUN_CLOCK_NS, Core, Run
from .models import Model


class Worker:
    """Runs the frames of a Core, notices a run that hangs, and goes back to the model before where the newer one fails.

    A thread that hangs in a model that is to run no more is left to itself: another takes over, and it closes that
    model and ends where its run comes back.
    """

    def __init__(
        self, core: Core, hang_ms: float, on_event: OnEvent | None, wait_for_room: Callable[[], object]
    ) -> None:
        """Starts both threads.

        Args:
            core: whose frames.
            hang_ms: a run longer than this hangs.
            on_event: is told what goes wrong.
            wait_for_room: returns when an answer can be delivered; called before each frame.
        """
        self._core, self._hang_ms, self._on_event, self._wait_for_room = core, hang_ms, on_event, wait_for_room
        self._resting = threading.Event()
        self._left_behind: set[Run] = set()
        with core.lock:
            self._take_over()
        self._watchdog = threading.Thread(target=self._watch, name="segtool-watchdog", daemon=True)
        self._watchdog.start()

    def is_free(self) -> bool:
        """Whether no run hangs, one that was left behind neither."""
        with self._core.lock:
            return self._core.hung is None and not self._left_behind

    def rest(self) -> bool:
        """Waits for the frame that runs to end, or to be given up. Returns whether no run hangs. After Core.close."""
        core = self._core
        if threading.current_thread() is not self._thread:  # else its frame ends when the callback that closes returns
            with core.arrived:
                core.arrived.wait_for(lambda: core.run is None, timeout=self._hang_ms / 1e3 + 1)
                run = core.run
            if run is not None:  # the watchdog is held up, by a callback that is slow or that closes the stream
                self._give_up(run)
        self._resting.set()
        return self.is_free()

    def join(self, timeout_s: float) -> None:
        """Waits for both threads to end, each `timeout_s` at most; not for one that hangs, nor for the caller's own."""
        threads = (self._watchdog, self._thread) if self._core.hung is None else (self._watchdog,)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)

    def switch(self, model: Model) -> bool:
        """Makes it the model that runs, from the next frame on; False, and not done, where the stream is closed."""
        with self._core.lock:
            if not self._core.closed:
                self._core.models.switch(model)
                self._leave_behind()
            return not self._core.closed

    def go_back(self, model: Model, why: str) -> bool:
        """Has the model before this one run again.

        Args:
            model: that runs now, as the caller has seen it.
            why: for the event.

        Returns:
            Whether it did: not where there is none before it, or it does not run any more.
        """
        with self._core.lock:
            if not self._core.models.go_back_from(model):
                return False
            self._leave_behind()
        self.dismiss(model)
        self._tell_rolled_back(why)
        return True

    def dismiss(self, model: Model) -> None:
        """Closes a model that is to run no more; where it is at a frame, the thread that runs it does so afterwards."""
        with self._core.lock:
            runs = (self._core.run, self._core.hung, *self._left_behind)
        if all(run is None or run.model is not model for run in runs):
            model.close()

    def _take_over(self) -> None:
        self._thread = threading.Thread(target=self._work, name="segtool-worker", daemon=True)
        self._thread.start()

    def _leave_behind(self) -> None:
        """Puts a new thread in charge where the one that is hangs in another model than is to run. Under the lock."""
        core = self._core
        if core.hung is not None and core.hung.model is not core.models.current:
            self._left_behind.add(core.hung)
            core.hung = None
            core.unblock()
            self._take_over()

    def _work(self) -> None:
        while (run := self._next()) is not None:
            if not self._run(run):
                self._came_back(run)
            with self._core.lock:
                needed = self._core.models.has(run.model) and not self._core.closed
            if not needed:
                run.model.close()

    def _next(self) -> Run | None:
        self._wait_for_room()
        core, run = self._core, None
        with core.arrived:
            while self._thread is threading.current_thread() and not core.closed and (run := core.next_run()) is None:
                core.arrived.wait()
        return run

    def _run(self, run: Run) -> bool:
        """Runs a frame; returns whether it ended before the watchdog gave it up."""
        core = self._core
        try:
            return core.answer(run, run.model.segmenter.segment(run.ticket.frame))
        except Exception as error:  # noqa: BLE001  # a worker that dies in silence is what this is to prevent
            told = str(error) or type(error).__name__
            lost = isinstance(error, DeviceLostError)
            with core.lock:
                in_time = core.fail(run, told)
                if lost:
                    core.block(f"the device is lost, restart the process: {told}", for_good=True)
            if lost:
                tell(self._on_event, "stream.device_lost", told)
            elif in_time:  # a lost device is lost for the model before, too
                self.go_back(run.model, told)
            return in_time

    def _came_back(self, run: Run) -> None:
        core = self._core
        with core.lock:
            self._left_behind.discard(run)
            recovered = core.hung is run
            if recovered:
                core.hung = None
                core.unblock()
            recovered = recovered and not core.stuck  # where it lost the device, or was closed, nothing goes on
        if recovered:
            tell(self._on_event, "stream.recovered", "the run that hung came back; its answer is thrown away")

    def _watch(self) -> None:
        pause_ms = self._hang_ms
        while not self._resting.wait(pause_ms / 1e3):
            run = self._core.run
            # a run that begins while this sleeps ends its time no earlier than hang_ms after the sleep began
            left_ms = self._hang_ms if run is None else self._hang_ms - (RUN_CLOCK_NS() - run.started_ns) / 1e6
            pause_ms = max(left_ms, 0.0)  # 0 after a hang: what was told took time, and a run may have begun meanwhile
            if run is not None and left_ms <= 0:
                self._give_up(run)

    def _give_up(self, run: Run) -> None:
        core = self._core
        reason = (
            f"the engine has not answered for {self._hang_ms:g} ms; a call that hangs can't be ended inside a process: "
            "restart the process if it stays so"
        )
        with core.lock:  # all of it in one: the run may come back at any moment
            if not core.give_up(run, reason):
                return
            went_back = not core.closed and core.models.go_back_from(run.model)
            if core.models.current is run.model:
                core.block(reason)
            else:
                self._leave_behind()
        tell(self._on_event, "stream.hung", f"{run.ticket.camera} {run.ticket.frame_id}: {reason}")
        if went_back:
            self._tell_rolled_back(reason)

    def _tell_rolled_back(self, why: str) -> None:
        segmenter = self._core.models.current.segmenter
        tell(self._on_event, "stream.rolled_back", f"{segmenter.where} runs again: {why}", {"sha256": segmenter.sha256})
