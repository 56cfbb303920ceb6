"""Hands results to the caller's callback, in a thread of its own: it can hold up no submit and no watchdog."""

import threading
from collections import deque
from collections.abc import Callable

from ..events import OnEvent, tell
from .result import StreamResult

OnResult = Callable[[StreamResult], object]

MOST_WAITING = 32
"""Results that wait for a slow callback, each with its maps; those beyond them are counted and not delivered."""


class Courier:
    """Delivers each result once, in the order they ended. Without a callback it does nothing."""

    def __init__(self, on_result: OnResult | None, on_event: OnEvent | None) -> None:
        """Starts the thread.

        Args:
            on_result: the caller's; None where it wants none.
            on_event: is told of what the callback raises.
        """
        self.undelivered = 0
        self._on_result, self._on_event = on_result, on_event
        self._waiting: deque[StreamResult] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="segtool-courier", daemon=True)
        if on_result is not None:
            self._thread.start()

    def post(self, result: StreamResult) -> None:
        """Leaves a result to be delivered; never waits for the callback."""
        if self._on_result is None:
            return
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self.undelivered += 1
                return
            self._waiting.append(result)
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Delivers what waits, and ends; not later than after `timeout_s`, whatever the callback does."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._on_result is not None and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting:
                    return
                result = self._waiting.popleft()
            self._deliver(result)

    def _deliver(self, result: StreamResult) -> None:
        if self._on_result is None:
            return
        try:
            self._on_result(result)
        except Exception as error:  # noqa: BLE001  # a listener must not be able to stop the stream
            told = f"{result.camera} {result.frame_id}: the callback raised {type(error).__name__}: {error}"
            tell(self._on_event, "stream.callback_failed", told)
