"""Segmenter: a model file on an engine, frames in, label maps out. What vehicle software embeds."""

import os
import threading
from dataclasses import replace
from types import TracebackType

import numpy as np
import numpy.typing as npt

from .engine.placement import Placement
from .engine.session import ENGINE_ERRORS, message_of
from .errors import ClosedError, DeviceError, DeviceLostError, SegtoolError
from .events import OnEvent, tell
from .fork import refuse_child
from .frames import answer_arrays, check_frame
from .golden import GoldenFrame, read_golden
from .health import Health, State, Vitals
from .options import EngineOptions
from .result import Labels, Result
from .spec import ModelSpec
from .start import Order, failure, start


class Segmenter:
    """Runs a model file, one frame at a time, or one batch where the file was exported for batches.

    It may be used from any number of threads: frames go through the engine one after another. It must not be carried
    across a fork: make it in the child.

    >>> import numpy as np
    >>> from segtool_runtime import Segmenter
    >>> with Segmenter("model.onnx", provider="cpu") as segmenter:
    ...     frame = np.zeros(segmenter.spec.frame_shape, np.uint8)
    ...     result = segmenter.segment(frame)
    >>> result.valid, result.labels.dtype, result.labels.shape == segmenter.spec.labels_shape
    (True, dtype('uint8'), True)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        provider: str = "auto",
        *,
        options: EngineOptions | None = None,
        sha256: str | None = None,
        allow_cpu: bool = False,
        warmup_frames: int = 3,
        self_test: bool = True,
        on_event: OnEvent | None = None,
    ) -> None:
        """Checks the file, opens the engine, warms it up, and has it answer the file's golden frames.

        Args:
            path: an ONNX file written by `segtool export`.
            provider: "auto" takes the first that runs a small model and opens the whole of this one (read `provider`
                to see which); a named one ("cuda", "tensorrt", "cpu" ...) runs the whole model there or raises.
            options: how the engine is to run: threads, device, deadline ...
            sha256: what the whole file's SHA-256 must be, 64 hex digits as `sha256sum` prints them.
            allow_cpu: where the named provider does not take the whole model, the CPU may take the rest, or all of it;
                `placement` says what runs where.
            warmup_frames: frames run before the self-test, so that the first real one is not a slow one.
            self_test: False leaves the golden frames out: for tools that check the file by other means.
            on_event: called with each Event, from whatever thread it happens in; it should return quickly, and may
                call any method.

        Raises:
            IntegrityError: the file was altered, is not sealed, or is not the one that `sha256` names.
            SpecError: its spec is absent, malformed, too new, or does not match the graph.
            SelfTestError: it does not answer its golden frames as it was exported.
            ModelFileError: no such file, or not a model that segtool runs.
            ProviderUnavailable: the named provider does not run here.
            DeviceLostError: the device failed earlier in this process in a way that only a new process gets over.
            DeviceError: the provider opened, but failed in the warm-up.
            UsageError: an argument that can't be used.
        """
        options = EngineOptions() if options is None else options
        order = Order(
            path=path,
            provider=provider,
            options=options,
            sha256=sha256,
            allow_cpu=allow_cpu,
            warmup_frames=warmup_frames,
            self_test=self_test,
            on_event=on_event,
        )
        self._vitals = Vitals(options.deadline_ms)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._where, self._options, self._on_event = str(path), options, on_event
        try:
            started = start(order, self._vitals)
        except SegtoolError as error:
            self._vitals.move(State.FAILED, str(error))
            if isinstance(error, DeviceLostError):
                tell(on_event, "engine.lost", str(error))
            tell(on_event, "segmenter.failed", str(error))
            raise
        self._model, self._placement = started.model, started.placement
        self._engine = started.engine
        self._vitals.move(State.READY)
        facts = {**started.placement.to_dict(), "steps_ms": dict(started.steps_ms)}
        tell(on_event, "segmenter.ready", f"{self._where}: on {started.provider}", facts)

    @property
    def spec(self) -> ModelSpec:
        """What the model file says of itself: classes, palette, sizes, where it comes from."""
        return self._model.spec

    @property
    def where(self) -> str:
        """The model file, as error messages name it."""
        return self._where

    @property
    def provider(self) -> str:
        """The provider that runs the model ("cuda", "cpu"); never changes."""
        return self._vitals.provider

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole model file, 64 hex digits, as `sha256sum` prints it."""
        return self._model.sha256

    @property
    def options(self) -> EngineOptions:
        """How the engine was asked to run."""
        return self._options

    def segment(
        self, frame: npt.NDArray[np.uint8], out: Labels | None = None, out_confidence: Labels | None = None
    ) -> Result:
        """Labels one frame, or one batch of frames where the file is for batches.

        On the CPU it runs in the caller's thread; on CUDA in one of the Segmenter's own, as a CUDA graph needs.

        Args:
            frame: uint8 of exactly spec.frame_shape, as spec.layout says: [H, W, 3] for "rgb" and "bgr", [H, W, 2] for
                "uyvy", [H * 3 / 2, W] for "nv12"; with spec.batch N over 1 an axis of N before these. 0 to 255, any
                strides (one that is not C-contiguous is gathered, and counted in `health`), may be read-only.
            out: where the labels go: writeable C-contiguous uint8 [H, W], or [N, H, W]; None makes a new array each
                time. It keeps its content where this raises.
            out_confidence: likewise for the confidence, apart from `out`; None where the file has no such output.

        Raises:
            FrameError: an argument is not what the spec asks for; nothing is converted or resized in silence.
            DeviceLostError: the device is lost, now or at an earlier frame: restart the process.
            DeviceError: the engine or its device failed; there is no answer to this frame.
            ClosedError: `close` was called.
            ForkedError: this is a forked child of the process that made the Segmenter.
        """
        refuse_child(self._process, self._where, "Segmenter")
        check_frame(frame, self._model.spec)
        outs = answer_arrays(out, out_confidence, self._model.spec, self._where)
        try:
            latency_ms, valid = self._run(frame, outs)
        except DeviceError as error:
            if error.__cause__ is not None:  # a run's. Told here, without the lock: who listens may call close()
                code = "engine.lost" if isinstance(error, DeviceLostError) else "engine.error"
                tell(self._on_event, code, str(error))
            raise
        return Result(
            labels=outs[0],
            confidence=outs[1] if len(outs) > 1 else None,
            valid=valid,
            latency_ms=latency_ms,
            late=self._vitals.is_late(latency_ms),
            provider=self._vitals.provider,
        )

    def health(self) -> Health:
        """State, counters and whether its answers can be relied upon; never waits, not for a run that hangs either."""
        reading = self._vitals.health()
        if os.getpid() == self._process:
            return reading
        return replace(reading, stale=True, reasons=("this is a forked child: the engine is its parent's",))

    def placement(self) -> Placement:
        """Which provider runs how many nodes, in what precision, of what versions; as it was at the start."""
        return self._placement

    def golden_frames(self) -> tuple[GoldenFrame, ...]:
        """Unpacks the frames that travel in the file with their answers, anew each time; none where it carries none.

        Raises:
            ModelFileError: they are not what the spec says.
        """
        packed = self._model.golden
        return () if packed is None else read_golden(packed, self._model.spec, self._where)

    def close(self) -> None:
        """Gives the engine and its memory back, after the frame that is running; further calls do nothing.

        In a forked child it does nothing at all: the engine is its parent's.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            self._engine = None
            closed = self._vitals.move(State.CLOSED, "close() was called")
        if closed:
            tell(self._on_event, "segmenter.closed", f"{self._where}: closed")

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, frame: npt.NDArray[np.uint8], outs: tuple[Labels, ...]) -> tuple[float, bool]:
        """Has the engine answer into `outs`; returns what it took, in ms, and whether the answer is valid."""
        vitals = self._vitals
        with self._lock:
            self._require_ready()
            vitals.copied += not frame.flags.c_contiguous
            started_ns = vitals.begin()
            try:
                self._engine.run(frame, *outs)
            except ENGINE_ERRORS as error:
                raise self._failed(error) from error
            finally:
                vitals.rest()
            latency_ms = vitals.end(started_ns)
            # no other label is as large as 255, and the largest is found without an array as large as the map
            valid = int(outs[0].max()) != self._model.spec.ignore_id
            vitals.invalid += not valid
        return latency_ms, valid

    def _require_ready(self) -> None:
        if self._vitals.state is State.FAILED:
            raise DeviceLostError(
                f"{self._where}: expected a device that works, but it is lost: {self._vitals.why}; restart the process"
            )
        if self._engine is None:
            raise ClosedError(
                f"{self._where}: expected an open Segmenter, but close() was called; make a new Segmenter"
            )

    def _failed(self, error: Exception) -> Exception:
        vitals = self._vitals
        vitals.fail(message_of(error))
        raised = failure(error, self._where, vitals.provider, self._options.device_id, starting=False)
        if isinstance(raised, DeviceLostError):
            vitals.move(State.FAILED, message_of(error))
        return raised
