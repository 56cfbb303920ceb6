"""Where frames wait: the newest of each camera, taken in fair turns, in buffers used again. Knows no thread."""

from collections import deque

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .desk import Desk, Ticket

MOST_CAMERAS = 64
"""More are taken for a mistake, such as a name made anew for each frame, which would fill the memory."""

_Frame = npt.NDArray[np.uint8]


class Mailbox:
    """Holds at most one frame of each camera. The stream's lock guards it."""

    def __init__(self, frame_shape: tuple[int, ...]) -> None:
        """Opens empty.

        Args:
            frame_shape: of every frame, uint8.
        """
        self.desks: dict[str, Desk] = {}
        self._shape = frame_shape
        self._spare: list[_Frame] = []
        self._turns: deque[Desk] = deque()  # the cameras that have a frame here, the longest unserved first

    def desk(self, camera: str, now_ns: int) -> Desk:
        """A camera's desk, opened where its first frame comes.

        Raises:
            UsageError: that would be one camera too many.
        """
        if camera not in self.desks:
            if len(self.desks) >= MOST_CAMERAS:
                raise UsageError(
                    f"camera: expected at most {MOST_CAMERAS} cameras on one Stream, got {camera!r} as one more; give "
                    "each camera one name for all its frames"
                )
            self.desks[camera] = Desk(camera, now_ns)
        return self.desks[camera]

    def buffer(self) -> _Frame:
        """A buffer for one frame; there are never more than frames waiting, running and being submitted at once."""
        return self._spare.pop() if self._spare else np.empty(self._shape, np.uint8)

    def give_back(self, frame: _Frame) -> None:
        """Takes back a buffer that nobody reads any more."""
        self._spare.append(frame)

    def put(self, desk: Desk, ticket: Ticket) -> Ticket | None:
        """Lets a frame wait.

        Returns:
            The older frame of that camera, which it takes the place of; None where none waited.
        """
        older, desk.waiting = desk.waiting, ticket
        if older is None:  # else the camera keeps the turn that it has: more frames are not more turns
            self._turns.append(desk)
        return older

    def take(self) -> Ticket | None:
        """The newest frame of the camera whose turn it is; None where none waits."""
        if not self._turns:
            return None
        desk = self._turns.popleft()
        ticket, desk.waiting = desk.waiting, None
        return ticket
