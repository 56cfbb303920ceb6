"""What became of the frames of one camera: counts that add up, the newest answer, and the one frame that waits."""

import threading
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .result import CameraCounts, Flag, Outcome, StreamResult
from .sequence import SequenceCheck


@dataclass(kw_only=True, eq=False)
class Ticket:
    """A frame on its way: who sent it, and the stream's own copy of its bytes."""

    camera: str
    frame_id: int
    captured_ns: int
    flags: tuple[Flag, ...]
    frame: npt.NDArray[np.uint8] = field(repr=False)


class Desk:
    """One camera's. The stream's lock guards it, but `sequence`, which `submitting` guards.

    Whoever only reads needs no lock: each change puts a whole new object in the place of the one before.
    """

    def __init__(self, camera: str, now_ns: int) -> None:
        """Opens with nothing in.

        Args:
            camera: whose it is.
            now_ns: of the stream's clock.
        """
        self.camera = camera
        self.opened_ns = now_ns
        self.sequence = SequenceCheck()
        self.submitting = threading.Lock()
        self.waiting: Ticket | None = None
        self.latest: StreamResult | None = None
        self.answered_ns: int | None = None
        self.counts = CameraCounts(
            submitted=0, ok=0, late=0, dropped=0, stale=0, invalid=0, failed=0, pending=0, flagged={}
        )

    def take_in(self) -> None:
        """Counts a frame in."""
        now = self.counts
        self.counts = replace(now, submitted=now.submitted + 1, pending=now.pending + 1)

    def end(self, result: StreamResult, now_ns: int) -> None:
        """Counts a frame's one outcome, and keeps the answer where it is one."""
        flagged = dict(self.counts.flagged)
        for flag in result.flags:
            flagged[flag.value] = flagged.get(flag.value, 0) + 1
        ended = {result.outcome.value: getattr(self.counts, result.outcome.value) + 1}
        self.counts = replace(self.counts, pending=self.counts.pending - 1, flagged=flagged, **ended)
        if result.outcome in (Outcome.OK, Outcome.LATE):
            self.latest, self.answered_ns = result, now_ns

    def quiet_ms(self, now_ns: int) -> float | None:
        """Time since the last answer; None before the first."""
        return None if self.answered_ns is None else (now_ns - self.answered_ns) / 1e6

    def silent_ms(self, now_ns: int) -> float:
        """Time since the last answer, or since the camera's first frame where none came yet."""
        return (now_ns - (self.opened_ns if self.answered_ns is None else self.answered_ns)) / 1e6
