"""What happens to frames, without a thread of its own: who waits, who runs, and how each frame ends, exactly once.

One lock guards all of it. It is held for moments only: never while the engine runs, a file is loaded or a frame copied,
so that submit and the watchdog go on whatever the engine does. Who only reads needs no lock.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ClosedError
from ..result import Labels, Result
from .desk import Desk, Ticket
from .mailbox import Mailbox
from .models import Model, Models
from .result import Flag, Outcome, StreamResult

# of how long a run takes; the clock of frames' ages may be that of a recording
RUN_CLOCK_NS = time.monotonic_ns


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A frame in the engine, since when, and in whose hands."""

    ticket: Ticket
    model: Model
    started_ns: int


class Core:
    """The state that submitters, worker and watchdog share."""

    def __init__(
        self,
        models: Models,
        *,
        budget_ms: float,
        max_age_ms: float,
        clock: Callable[[], int],
        post: Callable[[StreamResult], object],
    ) -> None:
        """Begins with nothing waiting.

        Args:
            models: the one that runs, and the one before it.
            budget_ms: an answer is late beyond this age.
            max_age_ms: a frame is not run beyond this age.
            clock: nanoseconds, that of the frames' capture times.
            post: is given every result once, under the lock: it must not wait.
        """
        self.models = models
        self.mailbox = Mailbox(models.current.segmenter.spec.frame_shape)
        self.run: Run | None = None
        self.hung: Run | None = None  # given up, while the thread in charge is still at it
        self.stuck = ""  # why no frame is taken now; "" where frames are taken
        self.closed = False
        self.lock = threading.RLock()
        self.arrived = threading.Condition(self.lock)  # a frame, or the end of the one that ran
        self._for_good = False
        self._budget_ms, self._max_age_ms = budget_ms, max_age_ms
        self._clock, self._post = clock, post

    def put(self, desk: Desk, ticket: Ticket) -> Outcome | None:
        """Counts a frame in and lets it wait for its turn; its outcome where it has ended already.

        Raises:
            ClosedError: the stream was closed meanwhile; the frame is not counted.
        """
        with self.lock:
            self.require_open()
            desk.take_in()
            if self.stuck:
                return self._end_unrun(ticket, Outcome.FAILED, self.stuck)
            older = self.mailbox.put(desk, ticket)
            if older is not None:
                self._end_unrun(older, Outcome.DROPPED, "a newer frame of its camera came before its turn")
            self.arrived.notify_all()
        return None

    def refuse(self, desk: Desk, frame_id: int, captured_ns: int, flags: tuple[Flag, ...], reason: str) -> Outcome:
        """Counts in, and ends, what is no frame as the spec asks for.

        Raises:
            ClosedError: as `put`.
        """
        with self.lock:
            self.require_open()
            desk.take_in()
            now_ns = self._clock()
            result = StreamResult(
                camera=desk.camera,
                frame_id=frame_id,
                captured_ns=captured_ns,
                outcome=Outcome.INVALID,
                flags=flags,
                age_ms=(now_ns - captured_ns) / 1e6,
                reason=reason,
            )
            return self._end(result, now_ns)

    def next_run(self) -> Run | None:
        """The next frame to run, and None where there is none now; frames too old for it end here. Under the lock."""
        while (ticket := self.mailbox.take()) is not None:
            age_ms = (self._clock() - ticket.captured_ns) / 1e6
            if age_ms <= self._max_age_ms:
                self.run = Run(ticket=ticket, model=self.models.current, started_ns=RUN_CLOCK_NS())
                return self.run
            self._end_unrun(
                ticket, Outcome.STALE, f"{age_ms:.0f} ms old at its turn, over the {self._max_age_ms:g} ms allowed"
            )
        return None

    def answer(self, run: Run, result: Result) -> bool:
        """Ends a frame with its answer; False where it was given up before, and the answer is thrown away."""
        ticket, model = run.ticket, run.model
        flags = ticket.flags + model.plausibility.flags(ticket.frame, result.labels, result.confidence)
        mean_confidence = None if result.confidence is None else _mean(result.confidence) / 255
        for answer in (result.labels, result.confidence):
            if answer is not None:
                answer.setflags(write=False)  # the callback and `latest` give the same arrays
        with self.lock:
            now_ns = self._clock()  # the caller's: what it raises must not come between the steps below
            self.mailbox.give_back(ticket.frame)
            if not self._rest(run):
                return False
            age_ms = (now_ns - ticket.captured_ns) / 1e6
            late = age_ms > self._budget_ms
            in_time = Outcome.LATE if late else Outcome.OK
            ended = StreamResult(
                camera=ticket.camera,
                frame_id=ticket.frame_id,
                captured_ns=ticket.captured_ns,
                outcome=in_time if result.valid else Outcome.INVALID,
                flags=flags,
                labels=result.labels,
                confidence=result.confidence,
                age_ms=age_ms,
                latency_ms=result.latency_ms,
                late=late,
                provider=result.provider,
                mean_confidence=mean_confidence,
                sha256=model.segmenter.sha256,
                reason="" if result.valid else "its label map holds 255, no valid answer",
            )
            self._end(ended, now_ns)
        return True

    def fail(self, run: Run, reason: str) -> bool:
        """Ends a frame whose run raised; False where it was given up before."""
        with self.lock:
            self.mailbox.give_back(run.ticket.frame)
            if not self._rest(run):
                return False
            self._end_unrun(run.ticket, Outcome.FAILED, reason, keep=True)
        return True

    def give_up(self, run: Run, reason: str) -> bool:
        """Ends a frame whose run hangs; its buffer stays with the engine. False where it has ended meanwhile."""
        with self.lock:
            if not self._rest(run):
                return False
            self.hung = run
            self._end_unrun(run.ticket, Outcome.FAILED, reason, keep=True)
        return True

    def block(self, reason: str, *, for_good: bool = False) -> None:
        """Takes no frame from now on: those that wait, and those that come, end as failed."""
        with self.lock:
            if not self._for_good:
                self.stuck, self._for_good = reason, for_good
            while (ticket := self.mailbox.take()) is not None:
                self._end_unrun(ticket, Outcome.FAILED, reason)
            self.arrived.notify_all()

    def unblock(self) -> None:
        """Takes frames again, where it was not for good."""
        with self.lock:
            if not self._for_good:
                self.stuck = ""

    def close(self) -> bool:
        """Ends the frames that wait, and takes none ever again; returns whether it was open."""
        with self.lock:
            was_open, self.closed = not self.closed, True
            self.block("the stream was closed", for_good=True)
            return was_open

    def require_open(self) -> None:
        """Refuses what comes after `close`.

        Raises:
            ClosedError: it was called.
        """
        if self.closed:
            where = self.models.current.segmenter.where
            raise ClosedError(f"{where}: expected an open Stream, but close() was called; make a new Stream")

    def _rest(self, run: Run) -> bool:
        """The engine is free again, or given up; returns whether it was at this run, and no one ended it before."""
        if self.run is not run:
            return False
        self.run = None
        self.arrived.notify_all()
        return True

    def _end_unrun(self, ticket: Ticket, outcome: Outcome, reason: str, *, keep: bool = False) -> Outcome:
        """Ends a frame without an answer; `keep`: its buffer is not free, or was given back already."""
        if not keep:
            self.mailbox.give_back(ticket.frame)
        now_ns = self._clock()
        result = StreamResult(
            camera=ticket.camera,
            frame_id=ticket.frame_id,
            captured_ns=ticket.captured_ns,
            outcome=outcome,
            flags=ticket.flags,
            age_ms=(now_ns - ticket.captured_ns) / 1e6,
            reason=reason,
        )
        return self._end(result, now_ns)

    def _end(self, result: StreamResult, now_ns: int) -> Outcome:
        self.mailbox.desks[result.camera].end(result, now_ns)
        self._post(result)
        return result.outcome


def _mean(confidence_hw: Labels) -> float:
    """The mean of uint8 [H, W], exact; a sum in 32 bits by rows takes a quarter of the time of one in float64."""
    return int(confidence_hw.sum(axis=-1, dtype=np.uint32).sum(dtype=np.uint64)) / confidence_hw.size
