"""Everything an integrator may set about a session, in one frozen class. What the file says is not among it."""

import math
import os
import re
from dataclasses import dataclass

from .errors import UsageError

_AFFINITY = re.compile(r"[1-9]\d*([-,][1-9]\d*)*(;[1-9]\d*([-,][1-9]\d*)*)*")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the engine is to run. The defaults are what most want; the GPU's have no effect on the CPU.

    Attributes:
        threads: CPU threads for one operator, the caller's own among them, at least 1; None leaves it to ONNX Runtime
            (one a physical core).
        affinity: logical processors of each thread beside the caller's, counted from 1, as ONNX Runtime's
            `session.intra_op_thread_affinities` has them: "2;3" pins two such threads, so it goes with threads=3.
            None: the system decides.
        spinning: those threads wait for work in a loop: fastest, and a whole core each while a frame runs.
        device_id: which GPU, from 0.
        gpu_mem_limit_mb: most memory of ONNX Runtime's arena on the GPU, in MB (10^6 bytes); None: no limit.
        stream_priority: of the CUDA stream, 0 (lowest) to -5 (highest that NVIDIA's drivers know).
        cuda_graph: capture the run as a CUDA graph at start and replay it for each frame.
        nhwc: have the CUDA provider compute convolutions in NHWC; measure which is faster.
        engine_cache: folder of TensorRT engines that `segtool build` filled; None: provider "tensorrt" is refused.
        deadline_ms: longest that a run may take, over 0. A result that took longer says `late`, and `health` is
            stale while a run is over it. None: never late. (When a run hangs, a Stream has a bound of its own for.)

    Raises:
        UsageError: a value that can't be used.
    """

    threads: int | None = None
    affinity: str | None = None
    spinning: bool = True
    device_id: int = 0
    gpu_mem_limit_mb: int | None = None
    stream_priority: int = 0
    cuda_graph: bool = True
    nhwc: bool = False
    engine_cache: str | os.PathLike[str] | None = None
    deadline_ms: float | None = None

    def __post_init__(self) -> None:
        _require_whole("threads", self.threads, 1, optional=True)
        _require_whole("device_id", self.device_id, 0, optional=False)
        _require_whole("gpu_mem_limit_mb", self.gpu_mem_limit_mb, 1, optional=True)
        if type(self.stream_priority) is not int or not -5 <= self.stream_priority <= 0:
            raise UsageError(f"stream_priority: expected -5 (high) to 0, got {self.stream_priority!r}; correct it")
        for name in ("spinning", "cuda_graph", "nhwc"):
            if type(getattr(self, name)) is not bool:
                raise UsageError(f"{name}: expected True or False, got {getattr(self, name)!r}; correct it")
        self._check_affinity()
        deadline = self.deadline_ms
        if deadline is not None and not (type(deadline) in (int, float) and 0 < deadline < math.inf):
            raise UsageError(f"deadline_ms: expected a time over 0 ms, or None, got {deadline!r}; correct it")

    def _check_affinity(self) -> None:
        if self.affinity is None:
            return
        if not isinstance(self.affinity, str) or not _AFFINITY.fullmatch(self.affinity):
            raise UsageError(
                f"affinity: expected processors from 1 for each thread, as in '2;3' or '2,3;4-5', got "
                f"{self.affinity!r}; correct it"
            )
        count = self.affinity.count(";") + 2  # and the caller's own
        if self.threads != count:
            raise UsageError(
                f"affinity: expected one entry for each thread beside the caller's, got {self.affinity!r} with "
                f"threads={self.threads}; give threads={count}"
            )


def _require_whole(name: str, value: object, least: int, *, optional: bool) -> None:
    if (value is None and optional) or (type(value) is int and value >= least):
        return
    rest = ", or None" if optional else ""
    raise UsageError(f"{name}: expected a whole number of at least {least}{rest}, got {value!r}")
