"""What is odd about the order of one camera's frames: their ids, their times, and bytes that stand still.

It looks at a frame's bytes, not at what they show, and knows neither the model nor the clock.
"""

import math

import numpy as np
import numpy.typing as npt

from .result import Flag

SAMPLED_ROWS = 64
"""Rows of a frame that are compared with those of the frame before; up to twice as many of a frame below 128 rows."""

FROZEN_FROM = 3
"""The frame of a row of equal ones that is the first to be called frozen: a driver may deliver one frame twice."""

LONGEST_DETOUR = 64
"""Ids by which a late frame may lie behind the highest; one further behind with a fresh time begins a new count."""


class SequenceCheck:
    """Looks at the frames of one camera, in the order they are submitted. Not for several threads at once.

    Ids are those of a camera that counts up, gaps allowed; times are nanoseconds of one clock.

    A camera that restarts counts from 0 again: its first frame is REORDERED, and then the new count is followed. So is
    a counter that overflows. What tells a restart from a late frame: an id more than LONGEST_DETOUR behind, captured
    after all others. A camera that restarts sooner than that is flagged until it has caught up.

    FROZEN rests on SAMPLED_ROWS rows spread over the frame, copied and compared byte by byte. They suffice because
    noise reaches every row of a real picture: of 3,693 real frames and 118,176 crops of 128x128 and 64x64, in order and
    shuffled, none was called frozen that differed anywhere from the two before, nor with 4 rows of 256. (White sky
    fills some crops of 64x64 with equal bytes; those are flagged.) The first and last rows, where a sensor may write a
    counter, are left out from 128 rows on. What it does not see: a frozen picture under a moving overlay that crosses a
    sampled row, one that is encoded anew each time, two pictures in turns.
    """

    def __init__(self) -> None:
        """Starts without a frame before."""
        self._last_id: float = -math.inf
        self._highest_id: float = -math.inf
        self._last_ns: float = -math.inf
        self._latest_ns: float = -math.inf
        self._rows: bytes | None = None
        self._equal_frames = 0

    def flags(
        self, frame: npt.NDArray[np.uint8] | None, frame_id: int, captured_ns: int, now_ns: int
    ) -> tuple[Flag, ...]:
        """What is odd about the next frame; it is then the frame before the one that follows.

        Args:
            frame: uint8 [H, ...], one frame as the camera delivers it. None where what came is no frame,
                which is never called frozen.
            frame_id: the camera's count.
            captured_ns: when it was captured.
            now_ns: the same clock now.

        Returns:
            Some of REPEATED_ID, REORDERED, REPEATED_TIME, BACK_DATED, FROM_THE_FUTURE and FROZEN, in that order.
            Of a time that lay in the future only the part up to then counts as "before", or every frame after it would
            be back-dated.
        """
        odd = {
            Flag.REPEATED_ID: frame_id in (self._last_id, self._highest_id),
            Flag.REORDERED: frame_id < self._highest_id,
            Flag.REPEATED_TIME: captured_ns in (self._last_ns, self._latest_ns),
            Flag.BACK_DATED: captured_ns < self._latest_ns,
            Flag.FROM_THE_FUTURE: captured_ns > now_ns,
            Flag.FROZEN: self._stands_still(frame),
        }
        restarted = self._highest_id - frame_id > LONGEST_DETOUR and captured_ns > self._latest_ns
        self._highest_id = frame_id if restarted else max(self._highest_id, frame_id)
        self._latest_ns = max(self._latest_ns, min(captured_ns, now_ns))
        self._last_id, self._last_ns = frame_id, captured_ns
        return tuple(flag for flag, is_so in odd.items() if is_so)

    def _stands_still(self, frame: object) -> bool:
        rows = sampled_rows(frame) if isinstance(frame, np.ndarray) and frame.ndim else None
        self._equal_frames = self._equal_frames + 1 if rows is not None and rows == self._rows else 1
        self._rows = rows
        return self._equal_frames >= FROZEN_FROM


def sampled_rows(frame: npt.NDArray[np.uint8]) -> bytes:
    """The bytes of about SAMPLED_ROWS rows spread over a frame; all of it below 128 rows.

    Args:
        frame: uint8 [H, ...].
    """
    step = max(1, len(frame) // SAMPLED_ROWS)
    edge = step // 2
    return frame[edge : len(frame) - edge : step].tobytes()
