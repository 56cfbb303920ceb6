"""Hands results to the caller's callback, in a thread of its own: it can hold up no submit and no watchdog."""

import threading
from collections import deque
from collections.abc import Callable

from ..events import OnEvent, tell
from .result import StreamResult

OnResult = Callable[[StreamResult], object]

MOST_WAITING = 256
"""Frames without an answer that wait to be told to a slow callback; those beyond are counted and not told."""


class Courier:
    """Delivers each result once: an answer first, frames without one in the order they ended.

    One answer at most waits: no frame is run before there is room for the next one (`wait_for_room`), so that what a
    slow callback gets is the newest there is, not the head of a queue of seconds. Without a callback it does nothing.
    """

    def __init__(self, on_result: OnResult | None, on_event: OnEvent | None) -> None:
        """Starts the thread.

        Args:
            on_result: the caller's; None where it wants none.
            on_event: is told of what the callback raises.
        """
        self.undelivered = 0
        self._on_result, self._on_event = on_result, on_event
        self._answer: StreamResult | None = None
        self._others: deque[StreamResult] = deque()
        self._changed = threading.Condition()
        self._closing = self._ended = False
        self._thread = threading.Thread(target=self._work, name="segtool-courier", daemon=True)
        if on_result is not None:
            self._thread.start()

    def post(self, result: StreamResult) -> None:
        """Leaves a result to be delivered; never waits for the callback."""
        if self._on_result is None:
            return
        with self._changed:
            if self._ended:  # of a run that ended after `close`
                self.undelivered += 1
            elif result.labels is not None and self._answer is None:
                self._answer = result
            elif len(self._others) < MOST_WAITING:
                self._others.append(result)
            else:
                self.undelivered += 1
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Waits until an answer can be left, or `close` is called."""
        with self._changed:
            while self._answer is not None and not self._closing:
                self._changed.wait()

    def close(self, timeout_s: float) -> None:
        """Delivers what waits, and ends; not later than after `timeout_s`, whatever the callback does."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._on_result is None or threading.current_thread() is self._thread:
            return
        self._thread.join(timeout_s)
        with self._changed:  # the callback took too long for the rest
            self.undelivered += len(self._others) + (self._answer is not None)
            self._answer = None
            self._others.clear()

    def _work(self) -> None:
        while (result := self._next()) is not None:
            self._deliver(result)

    def _next(self) -> StreamResult | None:
        with self._changed:
            while self._answer is None and not self._others and not self._closing:
                self._changed.wait()
            result, self._answer = self._answer, None
            self._changed.notify_all()
            if result is None and self._others:
                return self._others.popleft()
            self._ended = result is None
            return result

    def _deliver(self, result: StreamResult) -> None:
        if self._on_result is None:
            return
        try:
            self._on_result(result)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a listener must not be able to stop the stream
            told = f"{result.camera} {result.frame_id}: the callback raised {type(error).__name__}: {error}"
            tell(self._on_event, "stream.callback_failed", told)
