"""A segmenter whose every time is known, and a clock that only it and the sleep of a test move."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from runtime.health import Health, State, Vitals
from runtime.options import EngineOptions
from runtime.result import Result
from runtime.spec import ModelSpec

FRAMES = [np.full((4, 6, 3), level, np.uint8) for level in (40, 90, 140)]


class FakeClock:
    """Stands still between calls; `sleep` wakes up late by `oversleep_ns`."""

    def __init__(self, oversleep_ns: int = 0) -> None:
        self.now_ns, self.oversleep_ns = 1_000_000_000, oversleep_ns

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.work(seconds)
        self.now_ns += self.oversleep_ns

    def work(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


class KnownTimes:
    """Takes as long as scheduled, frame by frame; what a call does beside that, `act` says."""

    def __init__(
        self,
        schedule_ms: Sequence[float],
        sleep: Callable[[float], object] = time.sleep,
        act: Callable[[int], object] = lambda _: None,
        **changes: object,
    ) -> None:
        facts = {
            "label_space": "three",
            "classes": ("road", "sky", "car"),
            "palette": ((0, 0, 0),) * 3,
            "height_px": 4,
            "width_px": 6,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "precision": "fp32",
            "training": {},
            "producer": {},
        }
        self.spec = ModelSpec(**facts | changes)
        self.where, self.provider, self.sha256 = "known.onnx", "cpu", "ab" * 32
        self.options = EngineOptions()
        self.calls = 0
        self._schedule_ms, self._sleep, self._act = schedule_ms, sleep, act
        self._vitals = Vitals(None)
        self._vitals.move(State.READY)

    def segment(self, frame: np.ndarray, *outs: np.ndarray) -> Result:
        index, self.calls = self.calls, self.calls + 1
        if len(self._schedule_ms):
            self._sleep(self._schedule_ms[index % len(self._schedule_ms)] / 1e3)
        self._act(index)
        labels = np.full(self.spec.labels_shape, 1 if frame.flat[0] != 255 else 255, np.uint8)
        for out in outs:
            out[...] = labels
        return Result(labels=labels, valid=bool(labels[0, 0] != 255), latency_ms=1.0, provider="cpu")

    def health(self) -> Health:
        return self._vitals.health()

    def close(self) -> None:
        self._vitals.move(State.CLOSED)


def queued_ms(service_ms: Sequence[float], period_ms: float, cameras: int = 1) -> np.ndarray:
    """The times from capture to answer of one server and no clock at all: D. V. Lindley's recursion for the wait."""
    waited, latencies = 0.0, []
    for index, service in enumerate(service_ms):
        latencies.append(waited + service)
        gap = period_ms if (index + 1) % cameras == 0 else 0.0
        waited = max(0.0, waited + service - gap)
    return np.array(latencies)
