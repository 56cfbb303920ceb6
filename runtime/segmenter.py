"""Segmenter: a model file on an engine, frames in, label maps out. What vehicle software embeds."""

import os
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import numpy.typing as npt

from .binding import BoundSession
from .engine import ENGINE_ERRORS, message_of
from .errors import ClosedError, DeviceError, FrameError, ModelFileError, SpecError, UsageError
from .model_file import load_model_file
from .providers import open_session
from .spec import ModelSpec

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The answer to one frame.

    Attributes:
        labels: uint8 [H, W]; a class's place in spec.classes, or 255 where there is no valid answer.
        valid: False where a single 255 stands in the map: the network's numbers were not finite there.
        latency_ms: copying the frame in, the engine's run and copying the labels out; without waiting for the lock.
        provider: the provider that computed it ("cuda").
    """

    labels: Labels = field(repr=False)
    valid: bool
    latency_ms: float
    provider: str


class Segmenter:
    """Runs a model file, one frame at a time.

    It may be used from any number of threads: frames go through the engine one after another. It must not be carried
    across a fork: make it in the child.

    >>> import numpy as np
    >>> from segtool_runtime import Segmenter
    >>> with Segmenter("model.onnx", provider="cpu") as segmenter:
    ...     frame = np.zeros((segmenter.spec.height_px, segmenter.spec.width_px, 3), np.uint8)
    ...     result = segmenter.segment(frame)
    >>> result.valid, result.labels.dtype, result.labels.shape == frame.shape[:2]
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
        if model.spec.batch != 1:
            raise SpecError(
                f"{path}: expected a model for batches of 1 frame, got {model.spec.batch}; export it with batch 1"
            )
        self._where = str(path)
        self._spec = model.spec
        self._sha256 = model.sha256
        self._threads = threads
        session, self._provider = open_session(model.data, provider, threads, self._where)
        self._lock = threading.Lock()
        self._engine: BoundSession | None = self._warm_up(session, warmup_frames)

    @property
    def spec(self) -> ModelSpec:
        """What the model file says of itself: classes, palette, sizes, where it comes from."""
        return self._spec

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

    def segment(self, frame: npt.NDArray[np.uint8], out: Labels | None = None) -> Result:
        """Labels one frame.

        Args:
            frame: uint8 RGB [H, W, 3], 0 to 255, of exactly the spec's size; any strides, may be read-only.
            out: where the labels go: writeable C-contiguous uint8 [H, W]; None makes a new array each time. It keeps
                its content where this raises.

        Raises:
            FrameError: `frame` or `out` is not what the spec asks for; nothing is converted or resized in silence.
            DeviceError: the engine or its device failed; there is no answer to this frame.
            ClosedError: `close` was called.
        """
        self._check_frame(frame)
        if out is None:
            labels = np.empty((self._spec.height_px, self._spec.width_px), np.uint8)
        else:
            self._check_out(out)
            labels = out
        with self._lock:
            if self._engine is None:
                raise ClosedError(
                    f"{self._where}: expected an open Segmenter, but close() was called; make a new Segmenter"
                )
            started_ns = time.perf_counter_ns()
            try:
                self._engine.run(frame, labels)
            except ENGINE_ERRORS as error:
                raise DeviceError(self._failure(error)) from error
            latency_ms = (time.perf_counter_ns() - started_ns) / 1e6
        valid = not np.any(labels == self._spec.ignore_id)
        return Result(labels=labels, valid=valid, latency_ms=latency_ms, provider=self._provider)

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

    def _warm_up(self, session: object, frames: int) -> BoundSession:
        spec = self._spec
        frame = np.full((spec.height_px, spec.width_px, 3), 128, np.uint8)
        labels = np.empty((spec.height_px, spec.width_px), np.uint8)
        try:
            engine = BoundSession(session, self._provider, spec.height_px, spec.width_px)
            for _ in range(frames):
                engine.run(frame, labels)
        except ENGINE_ERRORS as error:
            # a CPU has no driver to blame: there it is the file that can't be run
            raise (ModelFileError if self._provider == "cpu" else DeviceError)(self._failure(error)) from error
        return engine

    def _failure(self, error: Exception) -> str:
        return (
            f"{self._where}: expected provider '{self._provider}' to run it, but it failed: {message_of(error)}; "
            "make a new Segmenter, and check the device if it fails again"
        )

    def _check_frame(self, frame: object) -> None:
        expected = f"a uint8 RGB array of {self._spec.width_px}x{self._spec.height_px}"
        if not isinstance(frame, np.ndarray) or isinstance(frame, np.ma.MaskedArray):
            raise FrameError(f"frame: expected {expected}, got {type(frame).__name__}; give a numpy array [H, W, 3]")
        if frame.dtype != np.uint8:
            raise FrameError(f"frame: expected {expected}, got {frame.dtype} values; give the camera's own 0 to 255")
        if frame.ndim != 3 or frame.shape[2] != 3:
            raise FrameError(f"frame: expected {expected}, got shape {list(frame.shape)}; give [height, width, 3]")
        if frame.shape[:2] != (self._spec.height_px, self._spec.width_px):
            raise FrameError(
                f"frame: expected {expected}, got {frame.shape[1]}x{frame.shape[0]}; "
                f"resize it first ({self._spec.resize})"
            )

    def _check_out(self, out: object) -> None:
        size = (self._spec.height_px, self._spec.width_px)
        if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != size:
            got = f"{out.dtype} {list(out.shape)}" if isinstance(out, np.ndarray) else type(out).__name__
            raise FrameError(f"out: expected a uint8 array {list(size)}, got {got}; make it np.empty({size}, np.uint8)")
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise FrameError(
                f"out: expected a writeable C-contiguous array, got one that is "
                f"{'read-only' if not out.flags.writeable else 'a strided view'}; make it np.empty({size}, np.uint8)"
            )
