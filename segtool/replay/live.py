"""How a replay is doing, told on stderr while it runs: one line that changes in a terminal, else a line at times."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

import numpy as np
import numpy.typing as npt

from benchmarks.percentiles import percentile
from runtime.stream.result import StreamHealth
from segtool.replay.tally import Tally

TERMINAL_EVERY_S, LOG_EVERY_S = 0.5, 5.0
MOST_COLUMNS = 140  # a line that wraps can't be written over


def status_line(tally: Tally, health: StreamHealth, frames_per_s: float) -> str:
    """Composes the line; a percentile of the last answers shows "-" where they are too few for it."""
    ages_ms = tally.recent_ages_ms()
    flagged = sum(sum(counts.flagged.values()) for counts in health.cameras.values())
    state = "healthy" if not health.stale else f"STALE: {health.reasons[0]}"
    return (
        f"{frames_per_s:5.1f} frames/s  age p50 {_shown(ages_ms, '50')} p99 {_shown(ages_ms, '99')}  "
        f"misses {tally.missed}  drops {tally.dropped}  flags {flagged}  {state}"
    )


def _shown(samples_ms: npt.NDArray[np.float64], percent: str) -> str:
    value = percentile(samples_ms, percent)
    return "-" if value is None else f"{value:.1f} ms"


class LiveLine:
    """Context manager that prints `status_line` again and again, in a thread of its own."""

    def __init__(
        self,
        tally: Tally,
        health: Callable[[], StreamHealth],
        out: TextIO,
        every_s: float | None = None,
    ) -> None:
        """Prints nothing yet.

        Args:
            tally: of the replay.
            health: of its stream.
            out: stderr.
            every_s: between lines; None takes what suits a terminal or a log.
        """
        self._tally, self._health, self._out = tally, health, out
        self._terminal = out.isatty()
        self._every_s = every_s or (TERMINAL_EVERY_S if self._terminal else LOG_EVERY_S)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="segtool-live-line", daemon=True)
        self._answered, self._since_s = 0, time.monotonic()

    def __enter__(self) -> "LiveLine":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._terminal:
            self._write("\n")

    def _work(self) -> None:
        while not self._ended.wait(self._every_s):
            answered, now_s = self._tally.answered, time.monotonic()
            frames_per_s = (answered - self._answered) / (now_s - self._since_s)
            self._answered, self._since_s = answered, now_s
            line = status_line(self._tally, self._health(), frames_per_s)
            self._write(f"\r{line[:MOST_COLUMNS]:<{MOST_COLUMNS}}" if self._terminal else f"{line}\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:  # nobody reads it any more; the replay goes on
            self._ended.set()
