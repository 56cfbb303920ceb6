"""The life of a Segmenter as states with legal moves only, and what can be read of it at any time without waiting."""

import enum
import time
from dataclasses import dataclass

CLOCK_NS = time.perf_counter_ns


class State(enum.Enum):
    """Where a Segmenter is in its life: INIT -> READY, FAILED or CLOSED; READY -> FAILED or CLOSED; no way back."""

    INIT = "init"
    READY = "ready"
    FAILED = "failed"
    CLOSED = "closed"


_MOVES = {
    State.INIT: (State.READY, State.FAILED, State.CLOSED),
    State.READY: (State.FAILED, State.CLOSED),
    State.FAILED: (),
    State.CLOSED: (),
}


@dataclass(frozen=True, kw_only=True)
class Health:
    """A Segmenter at one moment. Counters only rise.

    Attributes:
        state: where it is in its life.
        stale: no answer should be relied upon: not READY, the last run failed, or one is over its deadline now.
        reasons: why, a sentence each; empty where all is well.
        provider: that runs the model; "" until it is known.
        runs: frames (batches) that gave an answer, those of the warm-up and the self-test among them.
        failures: runs that raised.
        late: answers that took longer than the deadline.
        invalid: answers with a 255.
        copied: frames that were no C-contiguous array and were gathered on the way in.
        running_ms: how long the run that is going on has taken so far; None where none is.
    """

    state: State
    stale: bool
    reasons: tuple[str, ...]
    provider: str
    runs: int
    failures: int
    late: int
    invalid: int
    copied: int
    running_ms: float | None


class Vitals:
    """State and counters of one Segmenter. One thread writes at a time; anyone reads, and never waits for a lock."""

    def __init__(self, deadline_ms: float | None) -> None:
        """Begins in INIT.

        Args:
            deadline_ms: longest that a run may take; None for no deadline.
        """
        self.deadline_ms = deadline_ms
        self.provider = ""
        self.state = State.INIT
        self.why = "it is being opened"
        self.runs = self.failures = self.late = self.invalid = self.copied = 0
        self.failing = ""
        self._started_ns: int | None = None

    def move(self, state: State, why: str = "") -> bool:
        """Moves to a state; one that can't be reached from here changes nothing: FAILED and CLOSED are for good.

        Args:
            state: where to.
            why: the reason that `health` gives from now on; "" for none.

        Returns:
            Whether it moved.
        """
        if state not in _MOVES[self.state]:
            return False
        self.why = why  # before the state: who reads in between finds a reason for the older one
        self.state = state
        return True

    def begin(self) -> int:
        """A run begins; returns the time, in nanoseconds of CLOCK_NS."""
        self._started_ns = started_ns = CLOCK_NS()
        return started_ns

    def end(self, started_ns: int) -> float:
        """The run that began then gave an answer; returns what it took, in ms."""
        latency_ms = (CLOCK_NS() - started_ns) / 1e6
        self.failing = ""
        self.runs += 1
        self.late += self.is_late(latency_ms)
        return latency_ms

    def fail(self, why: str) -> None:
        """The run that is going on raised."""
        self.failures += 1
        self.failing = why

    def rest(self) -> None:
        """No run is going on."""
        self._started_ns = None

    def is_late(self, latency_ms: float) -> bool:
        """Whether a run took longer than the deadline."""
        return self.deadline_ms is not None and latency_ms > self.deadline_ms

    def health(self) -> Health:
        """What is so now."""
        state, started_ns, failing = self.state, self._started_ns, self.failing
        running_ms = None if started_ns is None else (CLOCK_NS() - started_ns) / 1e6
        reasons = [] if state is State.READY else [f"{state.value}: {self.why}"]
        if state is State.READY and failing:
            reasons.append(f"the last run failed: {failing}")
        if running_ms is not None and self.is_late(running_ms):
            reasons.append(f"a run has taken {running_ms:.0f} ms so far, the deadline is {self.deadline_ms:g} ms")
        return Health(
            state=state,
            stale=bool(reasons),
            reasons=tuple(reasons),
            provider=self.provider,
            runs=self.runs,
            failures=self.failures,
            late=self.late,
            invalid=self.invalid,
            copied=self.copied,
            running_ms=running_ms,
        )
