"""When each frame of a recording is to be captured: a plan that a slow run can't stretch, only a slow source."""

import time
from collections.abc import Callable


class Pace:
    """Plans capture times, one period apart, and waits for them.

    A frame is handed in late where this process was held up; its planned time stays, so that the delay counts as age.
    Where the frame itself was not decoded in time there was nothing to capture: the plan moves, and that is counted.

    Attributes:
        late_frames: that were decoded after their planned time.
        behind_ns: by how much the plan has moved for them, all in all.
        most_behind_ns: the longest of these delays.
    """

    def __init__(
        self,
        rate_hz: float,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Plans nothing before the first frame.

        Args:
            rate_hz: frames per second, over 0.
            clock: nanoseconds.
            sleep: waits for seconds.
        """
        self.late_frames, self.behind_ns, self.most_behind_ns = 0, 0, 0
        self._period_ns = 1e9 / rate_hz
        self._clock, self._sleep = clock, sleep
        self._start_ns: int | None = None
        self._planned = 0

    def wait(self, ready_ns: int) -> int:
        """Waits until the next frame's planned time, and returns that time.

        Args:
            ready_ns: when that frame was decoded.
        """
        if self._start_ns is None:
            self._start_ns = self._clock()
        planned_ns = self._start_ns + round(self._planned * self._period_ns)  # no sum of rounded periods: no drift
        self._planned += 1
        delay_ns = ready_ns - planned_ns
        if delay_ns > 0:
            self.late_frames += 1
            self.behind_ns += delay_ns
            self.most_behind_ns = max(self.most_behind_ns, delay_ns)
            self._start_ns += delay_ns
            planned_ns = ready_ns
        while (left_ns := planned_ns - self._clock()) > 0:
            self._sleep(left_ns / 1e9)
        return planned_ns
