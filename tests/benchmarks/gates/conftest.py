"""Files that take as long as a recording says, on a clock of their own; and records to be held against each other."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

SERIES = Path(__file__).parent / "series" / "unet_fast_256_int8.npz"


class Replay:
    """A clock and two stubs: each call of one takes the next of its own times."""

    def __init__(self, old_ms: Iterable[float], new_ms: Iterable[float], spec: object) -> None:
        self.now_ns = 0
        self.old = self._stub(iter(old_ms), spec)
        self.new = self._stub(iter(new_ms), spec)

    def clock_ns(self) -> int:
        return self.now_ns

    def _stub(self, times_ms: Iterator[float], spec: object) -> SimpleNamespace:
        def segment(frame: np.ndarray, *outs: np.ndarray) -> None:
            self.now_ns += round(next(times_ms) * 1e6)

        return SimpleNamespace(spec=spec, segment=segment)


@pytest.fixture(scope="session")
def series() -> dict[str, np.ndarray]:
    """Latencies recorded on 2 shared cores, other programs running: an int8 `unet-fast` at 256x256, milliseconds.

    `turns` float64 [20, 200, 2, 3]: 20 processes, 200 pairs of turns of 3 calls of two Segmenters on one file, the
    second Segmenter first in every other pair; one thread. `turns_two_threads` [7, 200, 2, 3]: with two. `runs`
    [20, 700]: 20 processes, back to back, one thread.
    """
    with np.load(SERIES) as file:
        return {name: file[name] / 100.0 for name in file.files}


@pytest.fixture
def replay(stub_segmenter: Callable[..., object]) -> Callable[..., Replay]:
    spec = stub_segmenter().spec

    def make(old_ms: Iterable[float], new_ms: Iterable[float]) -> Replay:
        return Replay(old_ms, new_ms, spec)

    return make


@pytest.fixture
def make_record() -> Callable[..., dict]:
    def make(samples_ms: Sequence[float] = (10.0,), scenario: str = "single-stream", **machine: object) -> dict:
        state = {"power_source": "mains", "gpus": []}
        result = {"file": 0, "samples_ms": list(samples_ms)}
        if scenario == "camera":
            result = {"file": 0, "rate_hz": 30.0, "cameras": 1, "load": {"cpu": 0, "gpu": 0.0}, "every": result}
        return copy.deepcopy(
            {
                "schema_version": 2,
                "kind": "bench",
                "scenario": scenario,
                "files": [
                    {
                        "file": "model.onnx",
                        "sha256": "ab" * 32,
                        "precision": "int8",
                        "width_px": 256,
                        "height_px": 256,
                        "batch": 1,
                        "camera": None,
                        "provider": "cpu",
                        "threads": 2,
                        "options": {"threads": 2, "spinning": True},
                        "placement": {"versions": {"onnxruntime": "1.31.1", "numpy": "2.4"}},
                    }
                ],
                "machine": {
                    "cpu": "Some CPU",
                    "cpu_flags": ["avx2", "fma"],
                    "cores_usable": 2,
                    "gpus": [],
                    "governor": "performance",
                    "packages": {"onnxruntime": "1.31.1", "pillow": "13"},
                }
                | machine,
                "state": {"before": state, "after": state},
                "results": [result],
                "frames": {"from": "uniform noise, seed 0", "distinct": 32},
                "time_utc": "2026-11-23T00:00:00+00:00",
                "notes": [],
                "growth": [],
                "gates": [],
            }
        )

    return make
