"""What becomes of a frame that a camera delivered: one outcome, flags beside it, the answer where there is one."""

import enum
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


class Outcome(enum.Enum):
    """How a frame ended; each ends in exactly one."""

    OK = "ok"  # an answer, in time
    LATE = "late"  # an answer, but older than the budget when it was there
    DROPPED = "dropped"  # a newer frame of its camera came before its turn
    STALE = "stale"  # too old when its turn came; never run
    INVALID = "invalid"  # not a frame as the spec asks for, or its answer holds a 255
    FAILED = "failed"  # the engine failed or hung, or the stream was closed before its turn


class Flag(enum.Enum):
    """What is odd about a frame or its answer. Flags never change an answer."""

    REPEATED_ID = "repeated id"  # the id of the frame before
    REORDERED = "reordered"  # an id lower than one before
    REPEATED_TIME = "repeated time"  # the capture time of the frame before
    BACK_DATED = "back-dated"  # captured before the frame before
    FROM_THE_FUTURE = "from the future"  # captured later than the clock says it is
    FROZEN = "frozen"  # the third frame or more of the same bytes
    DARK = "dark"
    BRIGHT = "bright"
    UNUSUAL_SHARES = "unusual shares"  # a class fills less or more of the frame than it ever did in validation
    UNSURE = "unsure"  # much of the frame with low confidence


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamResult:
    """A frame's end.

    Attributes:
        camera: whose frame it was.
        frame_id: as submitted.
        captured_ns: as submitted, untouched; nanoseconds of the stream's clock.
        outcome: how it ended.
        flags: what was odd, in the order of `Flag`.
        labels: uint8 [H, W], read-only, as the callback and `latest` give the same array; None where the graph gave no
            answer.
        confidence: uint8 of the same shape; None where the file has no such output, or there is no answer.
        age_ms: since its capture, when the frame ended; where `latest` gives the result, when it was called.
        latency_ms: of the run (`Result.latency_ms`); None where none was finished.
        late: the answer was older than the budget when it was there (also where it is invalid).
        provider: that computed it; "" where there is no answer.
        mean_confidence: 0 to 1; None without confidence.
        sha256: of the model file whose answer it is; "" where there is none.
        reason: why there is no answer, a sentence; "" where there is one.
    """

    camera: str
    frame_id: int
    captured_ns: int
    outcome: Outcome
    flags: tuple[Flag, ...] = ()
    labels: npt.NDArray[np.uint8] | None = field(repr=False, default=None)
    confidence: npt.NDArray[np.uint8] | None = field(repr=False, default=None)
    age_ms: float
    latency_ms: float | None = None
    late: bool = False
    provider: str = ""
    mean_confidence: float | None = None
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class CameraCounts:
    """Frames of one camera at one moment: those in are those that ended and those still waiting or running.

    Attributes:
        submitted: frames in.
        ok: ended so, as Outcome has it.
        late: likewise.
        dropped: likewise.
        stale: likewise.
        invalid: likewise.
        failed: likewise.
        pending: waiting or running now, 0 to 2.
        flagged: by flag's value, frames that carried it.
    """

    submitted: int
    ok: int
    late: int
    dropped: int
    stale: int
    invalid: int
    failed: int
    pending: int
    flagged: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class StreamHealth:
    """A Stream at one moment, read without waiting for anything.

    Attributes:
        stale: what `latest` gives should not be relied upon: the engine hangs or failed, the stream is closed, or a
            camera has had no answer for three times the stream's max_age_ms.
        reasons: why, a sentence each.
        stuck: why no frame is taken now: the engine hangs or is lost, or the stream is closed; "" where all is well. It
            is for a supervisor: a camera that is silent makes the stream stale, but not stuck.
        cameras: counts by camera.
        quiet_ms: by camera, since its last answer (ok or late), None where none came yet.
        undelivered: frames that a slow callback was not told of; they are counted all the same.
        provider: that runs the model now.
        sha256: of the model file that runs now.
        can_roll_back: an older model stands ready.
    """

    stale: bool
    reasons: tuple[str, ...]
    stuck: str
    cameras: dict[str, CameraCounts]
    quiet_ms: dict[str, float | None]
    undelivered: int
    provider: str
    sha256: str
    can_roll_back: bool
