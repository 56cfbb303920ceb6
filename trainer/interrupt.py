"""A first Ctrl-C or SIGTERM asks the loop to save and end; a second ends at once."""

import signal
from types import FrameType, TracebackType


class StopRequest:
    """Context manager that notes SIGINT and SIGTERM instead of dying from them.

    Attributes:
        signal_number: the signal that came, or None. The training loop looks at it after each step.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._previous: dict[int, signal.Handlers | int | None] = {}

    def __enter__(self) -> "StopRequest":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)  # type: ignore[assignment]
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the handler's signature)
        self.signal_number = number
        self._restore()  # the next one gets the usual treatment

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
