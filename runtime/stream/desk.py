"""What became of the frames of one camera: counts that add up, the newest answer, and the one frame that waits."""

import threading
from collections import Counter
from dataclasses import dataclass, field

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
    """One camera's. The stream's lock guards it, but `sequence`, which `submitting` guards."""

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
        self._submitted = 0
        self._ended: Counter[Outcome] = Counter()
        self._flagged: Counter[Flag] = Counter()

    def take_in(self) -> None:
        """Counts a frame in."""
        self._submitted += 1

    def end(self, result: StreamResult, now_ns: int) -> None:
        """Counts a frame's one outcome, and keeps the answer where it is one."""
        self._ended[result.outcome] += 1
        self._flagged.update(result.flags)
        if result.outcome in (Outcome.OK, Outcome.LATE):
            self.latest, self.answered_ns = result, now_ns

    def quiet_ms(self, now_ns: int) -> float | None:
        """Time since the last answer; None before the first."""
        return None if self.answered_ns is None else (now_ns - self.answered_ns) / 1e6

    def silent_ms(self, now_ns: int) -> float:
        """Time since the last answer, or since the camera's first frame where none came yet."""
        return (now_ns - (self.opened_ns if self.answered_ns is None else self.answered_ns)) / 1e6

    def counts(self) -> CameraCounts:
        """The counts as they are now."""
        return CameraCounts(
            submitted=self._submitted,
            ok=self._ended[Outcome.OK],
            late=self._ended[Outcome.LATE],
            dropped=self._ended[Outcome.DROPPED],
            stale=self._ended[Outcome.STALE],
            invalid=self._ended[Outcome.INVALID],
            failed=self._ended[Outcome.FAILED],
            pending=self._submitted - self._ended.total(),
            flagged={flag.value: count for flag, count in self._flagged.items()},
        )
