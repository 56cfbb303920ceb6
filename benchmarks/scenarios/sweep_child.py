"""What a point of a sweep measures, in a process of its own: latencies, and the most memory that it had at once.

Run as a script; it reports one line of JSON.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.latency import measure_latency
from benchmarks.percentiles import samples_needed
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # proc(5), clear_refs, since Linux 4.0
_AT_ONCE = 4  # calls between two looks at the clock


def measure_point(
    path: str,
    provider: str,
    options: dict[str, object],
    shape: list[int],
    distinct: int,
    frames: int,
    warmup: int,
    longest_s: float,
) -> dict[str, object]:
    """Opens a file and runs noise through it.

    The frames are made first, lest they count as the session's memory. The golden frames are left out for the same
    reason, and because not every file has them.

    Args:
        path: the model file.
        provider: as for Segmenter.
        options: fields of EngineOptions.
        shape: of what `segment` takes.
        distinct: how many different frames.
        frames: calls to measure.
        warmup: calls before.
        longest_s: stop after this, once there are samples enough for a median.

    Returns:
        `samples_ms`; `invalid`: how many calls gave no valid answer; `provider`: that ran them; `memory_mb`: the most
        resident memory at once, over what there was before the file was opened, None where the system does not tell.
    """
    generator = np.random.default_rng(0)
    images: list[npt.NDArray[np.uint8]] = [generator.integers(0, 256, shape, np.uint8) for _ in range(distinct)]
    samples_ms: list[float] = []
    invalid = 0
    before_kb = _peak_kb(reset=True)
    with Segmenter(path, provider, options=EngineOptions(**options), self_test=False) as segmenter:  # type: ignore[arg-type]
        begun_s = time.monotonic()
        while len(samples_ms) < frames:
            count = min(_AT_ONCE, frames - len(samples_ms))
            run = measure_latency(segmenter, images, count, warmup)
            samples_ms += [float(sample) for sample in run.samples_ms]
            invalid, warmup = invalid + run.invalid_frames, 0
            if time.monotonic() - begun_s > longest_s and len(samples_ms) >= samples_needed("50"):
                break
        after_kb = _peak_kb()
    memory_mb = None if before_kb is None or after_kb is None else (after_kb - before_kb) * 1024 / 1e6
    return {
        "samples_ms": samples_ms,
        "invalid": invalid,
        "provider": segmenter.provider,
        "memory_mb": memory_mb,
    }


def _peak_kb(*, reset: bool = False) -> int | None:
    """VmHWM of this process, in units of 1024 bytes; after `reset` it begins again at what is resident now."""
    try:
        if reset:
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
        found = re.search(r"^VmHWM:\s*(\d+) kB", (_PROCESS / "status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_point(**json.loads(sys.argv[1]))) + "\n")
    sys.stdout.flush()
