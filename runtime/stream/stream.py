"""Stream: frames of cameras in as they come, the newest of each labelled in fair turns, every one accounted for."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..errors import DeviceError, FrameError, UsageError
from ..events import OnEvent, tell
from ..fork import refuse_child
from ..frames import check_frame
from ..segmenter import Segmenter
from .core import Core
from .courier import Courier, OnResult
from .desk import Ticket
from .health import QUIET_AGES, read_health
from .models import Model, Models
from .result import Outcome, StreamHealth, StreamResult
from .worker import Worker

_LONGEST_MS = 1e9  # 11 days; threads can't wait as long as a float can say
_CALLBACKS_END_S = 1.0  # what `close` gives a callback that is still at work


class Stream:
    """Labels the frames of one or more cameras at their pace, on one Segmenter, in a thread of its own.

    `submit` and `health` never wait for the engine. Use it from any number of threads, one for each camera. The engine
    can't be stopped in the middle of a run: one that hangs is told (`health`, event "stream.hung", its frame ends as
    failed), frames then end as failed at once, and a supervisor should restart the process if it does not come back.

    >>> import time
    >>> import numpy as np
    >>> from segtool_runtime import Segmenter, Stream
    >>> with Segmenter("model.onnx", provider="cpu") as segmenter, Stream(segmenter, max_age_ms=10_000) as stream:
    ...     frame = np.zeros(segmenter.spec.frame_shape, np.uint8)
    ...     stream.submit(frame, frame_id=1, captured_ns=time.monotonic_ns(), camera="front")
    ...     while stream.latest("front") is None:
    ...         time.sleep(0.001)
    ...     result = stream.latest("front")
    >>> result.frame_id, result.labels.dtype, stream.health().cameras["front"].submitted
    (1, dtype('uint8'), 1)
    """

    def __init__(
        self,
        segmenter: Segmenter,
        budget_ms: float = 33.3,
        max_age_ms: float = 100.0,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        on_result: OnResult | None = None,
        on_event: OnEvent | None = None,
        hang_ms: float = 1000.0,
    ) -> None:
        """Starts the worker and the watchdog.

        Args:
            segmenter: ready, of a file for one frame at a time. It stays the caller's to close, after the Stream, and
                no one else should run frames through it meanwhile.
            budget_ms: an answer is late where the frame is older than this when it is there.
            max_age_ms: a frame that is older than this at its turn is stale, and not run.
            clock: returns nanoseconds; that of the capture times. A replay gives the recording's own. It must neither
                wait nor raise.
            on_result: called with every frame's StreamResult, once each, in one thread of its own, answers first. While
                it is slow fewer frames are run, so that each answer it gets is fresh; where frames without an answer
                pile up, some are not told, and counted (`undelivered`).
            on_event: called with each Event, in whatever thread it happens in; it should return quickly, as the worker
                or the watchdog waits for it, and may call any method.
            hang_ms: a run longer than this hangs. Well above the slowest run under load: one over it costs its frame
                and those that come until it is back, and sends a newer model that `replace` brought back.

        Raises:
            UsageError: an argument that can't be used, or a file for batches.
        """
        for name, value in (("budget_ms", budget_ms), ("max_age_ms", max_age_ms), ("hang_ms", hang_ms)):
            if type(value) not in (int, float) or not 0 < value <= _LONGEST_MS:
                raise UsageError(f"{name}: expected a time over 0 and up to 1e9 ms, got {value!r}; correct it")
        if segmenter.spec.batch != 1:
            raise UsageError(
                f"{segmenter.where}: expected a file for one frame at a time, got one for {segmenter.spec.batch}; "
                "export it with --batch 1: a Stream serves several cameras in turns"
            )
        self._process, self._clock, self._max_age_ms = os.getpid(), clock, float(max_age_ms)
        self._on_event = on_event
        self._models = Models(segmenter, on_event)
        self._courier = Courier(on_result, on_event)
        self._core = Core(
            self._models, budget_ms=budget_ms, max_age_ms=max_age_ms, clock=clock, post=self._courier.post
        )
        self._worker = Worker(self._core, hang_ms, on_event, self._courier.wait_for_room)

    def submit(
        self, frame: npt.NDArray[np.uint8], frame_id: int, captured_ns: int, camera: str = "front"
    ) -> Outcome | None:
        """Hands in a frame. Copies it, so that the caller may use its memory again at once; never waits for the engine.

        Args:
            frame: as Segmenter.segment takes it. One that is not ends as invalid, and raises nothing.
            frame_id: the camera's count, rising.
            captured_ns: when it was captured, in nanoseconds of the stream's clock.
            camera: whose frame it is; one camera's frames come from one thread at a time.

        Returns:
            How the frame ended, where it ended at once (invalid; failed while the engine hangs or is lost); else None.

        Raises:
            UsageError: an id, a time or a name that is none, or too many cameras.
            ClosedError: `close` was called.
            ForkedError: this is a forked child of the process that made the Stream.
        """
        self._require_open()
        if type(camera) is not str or not camera:
            raise UsageError(f"camera: expected a name, got {camera!r}")
        for name, value in (("frame_id", frame_id), ("captured_ns", captured_ns)):
            if type(value) is not int or value.bit_length() > 64:
                raise UsageError(f"{name}: expected a whole number (int) of at most 64 bits, got {value!r}")
        core, now_ns = self._core, self._clock()
        with core.lock:
            desk = core.mailbox.desk(camera, now_ns)
        reason = self._why_refused(frame)
        with desk.submitting:
            # not the bytes of what is no frame: anything may happen there
            flags = desk.sequence.flags(None if reason else frame, frame_id, captured_ns, now_ns)
            if reason:
                return core.refuse(desk, frame_id, captured_ns, flags, reason)
            with core.lock:
                buffer = core.mailbox.buffer()
            np.copyto(buffer, frame)
            ticket = Ticket(camera=camera, frame_id=frame_id, captured_ns=captured_ns, flags=flags, frame=buffer)
            return core.put(desk, ticket)

    def latest(self, camera: str = "front") -> StreamResult | None:
        """The newest answer (ok or late) of a camera, with its age as it is now; None before the first.

        The answer does not go away when no newer one comes: look at `age_ms`, and at `health`.
        """
        refuse_child(self._process, self._where, "Stream")
        desk = self._core.mailbox.desks.get(camera)
        result = None if desk is None else desk.latest
        return None if result is None else replace(result, age_ms=(self._clock() - result.captured_ns) / 1e6)

    def health(self) -> StreamHealth:
        """Counts, and whether answers can be relied upon. Waits for nothing, not for a lock either."""
        reading = read_health(self._core, self._courier, self._clock(), QUIET_AGES * self._max_age_ms)
        if os.getpid() == self._process:
            return reading
        return replace(reading, stale=True, reasons=("this is a forked child: the stream is its parent's",))

    def replace(self, path: str | os.PathLike[str], *, sha256: str | None = None, allow_cpu: bool = False) -> None:
        """Opens another model file beside the running one, tests it, and switches between two frames.

        It loads in the caller's thread while frames go on, more slowly: both share the cores. The file before stays
        open for `rollback`, and the stream goes back to it by itself where the newer one fails or hangs at any frame.
        The one before that is closed first, so that there are never more than two: `rollback` is refused meanwhile.

        Args:
            path: a file that takes the same frames and gives labels of the same size and classes.
            sha256: what its SHA-256 must be.
            allow_cpu: as for a Segmenter.

        Raises:
            UsageError: it takes other frames or gives other labels; the running one stays.
            ModelFileError, DeviceError: as Segmenter, or a run hangs now; the running one stays.
            ClosedError, ForkedError: as `submit`.
        """
        self._require_open()
        try:
            model = self._open_beside(path, sha256, allow_cpu=allow_cpu)
        except Exception as error:
            tell(self._on_event, "stream.replace_failed", str(error))
            raise
        tell(self._on_event, "stream.replaced", f"{path} runs now", {"sha256": model.segmenter.sha256})

    def rollback(self) -> None:
        """Goes back to the file that ran before the last `replace`, between two frames, and closes the newer one.

        Raises:
            UsageError: there is none: nothing was replaced, or the stream went back by itself.
            ClosedError, ForkedError: as `submit`.
        """
        self._require_open()
        if not self._worker.go_back(self._models.current, "rollback() was called"):
            raise UsageError("rollback: expected an older file to go back to, got none; call replace() first")

    def close(self) -> None:
        """Ends the stream: frames that wait end as failed. Returns in bounded time also where the engine hangs.

        Further calls do nothing. In a forked child it does nothing at all.
        """
        if os.getpid() != self._process or not self._core.close():
            return
        ended = self._worker.rest()
        self._courier.close(_CALLBACKS_END_S)
        self._worker.join(_CALLBACKS_END_S)
        for model in (self._models.previous, self._models.current):
            if model is not None:
                self._worker.dismiss(model)
        tell(
            self._on_event, "stream.closed", "closed" if ended else "closed while the engine hangs: restart the process"
        )

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _where(self) -> str:
        return self._models.current.segmenter.where

    def _open_beside(self, path: str | os.PathLike[str], sha256: str | None, *, allow_cpu: bool) -> Model:
        with self._models.loading:
            if self._core.stuck or not self._worker.is_free():
                why = self._core.stuck or "the model that it went back from is still at the run that hangs"
                raise DeviceError(f"{path}: expected a stream that runs, but {why}; restart the process")
            with self._core.lock:
                oldest = self._models.let_go()
            if oldest is not None:
                self._worker.dismiss(oldest)
            model = self._models.load(path, sha256, allow_cpu=allow_cpu)
            if not self._worker.switch(model):
                model.close()
                self._require_open()
            return model

    def _why_refused(self, frame: object) -> str:
        try:
            check_frame(frame, self._models.current.segmenter.spec)
        except FrameError as error:
            return str(error)
        return ""

    def _require_open(self) -> None:
        refuse_child(self._process, self._where, "Stream")
        self._core.require_open()
