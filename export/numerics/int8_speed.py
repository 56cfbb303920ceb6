"""Is an int8 file worth having on this CPU: measured against the float32 file, and what the CPU says of itself."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.engine.providers import PROVIDERS
from runtime.engine.session import new_session, session_options
from runtime.errors import UsageError
from runtime.options import EngineOptions

_WARM_UP = 3
_VNNI_FLAGS = {"avx512_vnni", "avx_vnni"}


@dataclass(frozen=True, kw_only=True)
class SpeedCheck:
    """Milliseconds of one run, bytes in to labels out, on ONNX Runtime's CPU provider.

    Attributes:
        fp32_ms: median of the rounds' medians.
        int8_ms: likewise.
        threads: of one operator; None for ONNX Runtime's own choice.
        rounds: both files once each, in turn.
        runs: timed in each round.
    """

    fp32_ms: float
    int8_ms: float
    threads: int | None
    rounds: int
    runs: int

    @property
    def times_faster(self) -> float:
        """Over 1 where int8 is faster."""
        return self.fp32_ms / self.int8_ms

    def record(self) -> dict[str, object]:
        """What the report says of it."""
        return {**vars(self), "times_faster": self.times_faster}

    @property
    def refusal(self) -> str | None:
        """Why the int8 file is not worth having, both figures in it; None where it is faster."""
        if self.times_faster > 1:
            return None
        return (
            f"int8 must be faster than fp32 on this CPU, got {self.int8_ms:.2f} ms against {self.fp32_ms:.2f} ms with "
            f"{self.threads or 'all'} threads; export without --int8, or on the target"
        )


def measure_speed(
    fp32: bytes, int8: bytes, frame: NDArray[np.uint8], *, threads: int | None = 1, rounds: int = 5, runs: int = 10
) -> SpeedCheck:
    """Times two files in turn, so that a machine that gets slower gets slower for both.

    Only one session is open at a time: threads that spin while they wait would slow the other down.

    Args:
        fp32: the float32 model.
        int8: the int8 model, of the same door.
        frame: uint8, as the graph's input wants it without the batch axis.
        threads: CPU threads of one operator; None leaves it to ONNX Runtime.
        rounds: 1 or more.
        runs: timed in a round, 1 or more; three more go before them.

    Raises:
        UsageError: no rounds or no runs.
    """
    if rounds < 1 or runs < 1:
        raise UsageError(f"measure_speed: expected rounds and runs of 1 or more, got {rounds} and {runs}")
    medians: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for model, found in zip((fp32, int8), medians, strict=True):
            found.append(_median_ms(model, frame, threads, runs))
    fp32_ms, int8_ms = (statistics.median(found) for found in medians)
    return SpeedCheck(fp32_ms=fp32_ms, int8_ms=int8_ms, threads=threads, rounds=rounds, runs=runs)


def cpu_has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether this CPU multiplies bytes without saturating at 16 bits; None where that can't be told.

    Without it ONNX Runtime's kernels add pairs of products in 16 bits, and 8-bit weights overflow: use reduce_range.

    Args:
        cpuinfo: as Linux on x86 writes it.
    """
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return None  # not Linux
    flags = [
        line.split(":", 1)[1].split() for line in lines if line.split(":", 1)[0].strip() == "flags" and ":" in line
    ]
    if not flags:
        return None  # not x86: ARM's dot products have their own names, and do not saturate
    return all(_VNNI_FLAGS & set(each) for each in flags)


def _median_ms(model: bytes, frame: NDArray[np.uint8], threads: int | None, runs: int) -> float:
    session = new_session(
        model, session_options(EngineOptions(threads=threads), only_named_provider=False), PROVIDERS["cpu"]
    )
    door = session.get_inputs()[0]
    inputs = {door.name: np.repeat(frame[None], door.shape[0], axis=0)}
    for _ in range(_WARM_UP):
        session.run(None, inputs)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        session.run(None, inputs)
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)
