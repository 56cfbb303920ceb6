"""Segmenter: a model file on an engine, frames in, label maps out. What vehicle software embeds."""

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import numpy.typing as npt

from .engine.binding import BoundSession
from .engine.providers import open_session, precision_notes
from .engine.session import ENGINE_ERRORS, message_of
from .errors import ClosedError, DeviceError, FrameError, ModelFileError, UsageError
from .frames import answer_shape, check_apart, check_frame, check_out
from .golden import GoldenFrame, read_golden
from .model_file import load_model_file
from .spec import ModelSpec

Labels = npt.NDArray[np.uint8]

_log = logging.getLogger(__package__)
_log.addHandler(logging.NullHandler())  # who sets up no logging is not written to


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The answer to one frame, or to one batch of them.

    Attributes:
        labels: uint8 [H, W] of spec.labels_shape; a class's place in spec.classes, or 255 where there is no valid
            answer. A file for batches of N > 1 gives [N, H, W].
        confidence: uint8 of the same shape, 255 times the probability that the network gives the winning class, 0 where
            there is no valid answer; None where the file has no such output.
        valid: False where a single 255 stands in the labels: the network's numbers were not finite there.
        latency_ms: copying the frame in, the engine's run and copying the answer out; without waiting for the lock.
        provider: the provider that computed it ("cuda").
    """

    labels: Labels = field(repr=False)
    confidence: Labels | None = field(repr=False, default=None)
    valid: bool
    latency_ms: float
    provider: str


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
        threads: int | None = None,
        sha256: str | None = None,
        warmup_frames: int = 3,
    ) -> None:
        """Checks the file, opens the engine and runs the warm-up.

        Args:
            path: an ONNX file written by `segtool export`.
            provider: "auto" takes the first that runs a small model and opens the whole of this one (read `provider`
                to see which); a named one ("cuda", "tensorrt", "cpu" ...) runs the whole model there or raises.
            threads: CPU threads for one operator, at least 1; None leaves it to ONNX Runtime (one a physical core).
            sha256: what the whole file's SHA-256 must be, 64 hex digits as `sha256sum` prints them.
            warmup_frames: frames run before the constructor returns, so that the first real one is not a slow one.

        Raises:
            IntegrityError: the file was altered, is not sealed, or is not the one that `sha256` names.
            SpecError: its spec is absent, malformed, too new, or does not match the graph.
            ModelFileError: no such file, or not a model that segtool runs.
            ProviderUnavailable: the named provider does not run here.
            DeviceError: the provider opened, but failed in the warm-up.
            UsageError: an argument that can't be used.
        """
        if type(warmup_frames) is not int or warmup_frames < 0:
            raise UsageError(f"warmup_frames: expected a whole number of at least 0, got {warmup_frames!r}")
        model = load_model_file(path, sha256)
        self._where = str(path)
        self._spec = model.spec
        self._golden = model.golden
        self._sha256 = model.sha256
        self._threads = threads
        session, self._provider = open_session(model.data, provider, threads, self._where)
        for note in precision_notes(self._provider, model.spec.precision):
            _log.warning("%s: %s", self._where, note)
        self._lock = threading.Lock()
        self._engine: BoundSession | None = self._warm_up(session, warmup_frames)

    @property
    def spec(self) -> ModelSpec:
        """What the model file says of itself: classes, palette, sizes, where it comes from."""
        return self._spec

    @property
    def where(self) -> str:
        """The model file, as error messages name it."""
        return self._where

    @property
    def provider(self) -> str:
        """The provider that runs the whole model ("cuda", "cpu"); never changes."""
        return self._provider

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole model file, 64 hex digits, as `sha256sum` prints it."""
        return self._sha256

    @property
    def threads(self) -> int | None:
        """CPU threads for one operator; None is ONNX Runtime's own choice, one a physical core."""
        return self._threads

    def segment(
        self, frame: npt.NDArray[np.uint8], out: Labels | None = None, out_confidence: Labels | None = None
    ) -> Result:
        """Labels one frame, or one batch of frames where the file is for batches.

        Args:
            frame: uint8 of exactly spec.frame_shape, as spec.layout says: [H, W, 3] for "rgb" and "bgr", [H, W, 2] for
                "uyvy", [H * 3 / 2, W] for "nv12"; with spec.batch N over 1 an axis of N before these. 0 to 255, any
                strides, may be read-only.
            out: where the labels go: writeable C-contiguous uint8 [H, W], or [N, H, W]; None makes a new array each
                time. It keeps its content where this raises.
            out_confidence: likewise for the confidence, apart from `out`; None where the file has no such output.

        Raises:
            FrameError: an argument is not what the spec asks for; nothing is converted or resized in silence.
            DeviceError: the engine or its device failed; there is no answer to this frame.
            ClosedError: `close` was called.
        """
        check_frame(frame, self._spec)
        labels = self._own_or(out, "out")
        confidence = self._confidence(out_confidence, labels)
        outs = (labels,) if confidence is None else (labels, confidence)
        with self._lock:
            if self._engine is None:
                raise ClosedError(
                    f"{self._where}: expected an open Segmenter, but close() was called; make a new Segmenter"
                )
            started_ns = time.perf_counter_ns()
            try:
                self._engine.run(frame, *outs)
            except ENGINE_ERRORS as error:
                raise DeviceError(self._failure(error)) from error
            latency_ms = (time.perf_counter_ns() - started_ns) / 1e6
        valid = not np.any(labels == self._spec.ignore_id)
        return Result(labels=labels, confidence=confidence, valid=valid, latency_ms=latency_ms, provider=self._provider)

    def golden_frames(self) -> tuple[GoldenFrame, ...]:
        """Unpacks the frames that travel in the file with their answers, anew each time; none where it carries none.

        Raises:
            ModelFileError: they are not what the spec says.
        """
        return () if self._golden is None else read_golden(self._golden, self._spec, self._where)

    def close(self) -> None:
        """Gives the engine and its memory back, after the frame that is running; further calls do nothing."""
        with self._lock:
            self._engine = None

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _own_or(self, out: Labels | None, name: str) -> Labels:
        if out is None:
            return np.empty(answer_shape(self._spec), np.uint8)
        check_out(out, name, self._spec)
        return out

    def _confidence(self, out: Labels | None, labels: Labels) -> Labels | None:
        if self._spec.confidence is not None:
            confidence = self._own_or(out, "out_confidence")
            check_apart(labels, confidence)
            return confidence
        if out is not None:
            raise FrameError(
                f"out_confidence: expected None, as {self._where} has no output of confidence, "
                f"got {type(out).__name__}; leave it out, or export the model with --confidence"
            )
        return None

    def _warm_up(self, session: object, frames: int) -> BoundSession:
        spec = self._spec
        try:
            engine = BoundSession(session, self._provider, spec)
            if frames:
                shape = spec.frame_shape if spec.batch == 1 else (spec.batch, *spec.frame_shape)
                frame = np.full(shape, 128, np.uint8)
                outs = [np.empty(answer_shape(spec), np.uint8) for _ in range(1 if spec.confidence is None else 2)]
            for _ in range(frames):
                engine.run(frame, *outs)
        except ENGINE_ERRORS as error:
            # a CPU has no driver to blame: there it is the file that can't be run
            raise (ModelFileError if self._provider == "cpu" else DeviceError)(self._failure(error)) from error
        return engine

    def _failure(self, error: Exception) -> str:
        return (
            f"{self._where}: expected provider '{self._provider}' to run it, but it failed: {message_of(error)}; "
            "make a new Segmenter, and check the device if it fails again"
        )
