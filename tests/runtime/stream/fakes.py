"""A Segmenter for the tests of the stream: what a frame takes, or raises, is said by the test."""

import threading
import time
from collections.abc import Callable

import numpy as np

from runtime.events import Event
from runtime.health import Health, State, Vitals
from runtime.options import EngineOptions
from runtime.result import Result
from runtime.spec import ModelSpec
from runtime.stream import Outcome, Stream, StreamHealth

SHAPE = (24, 32, 3)


class FakeSegmenter:
    """Labels every pixel with the frame's first byte; `act` runs before, in the caller's thread."""

    def __init__(self, spec: ModelSpec, act: Callable[[np.ndarray], object] = lambda _: None, name: str = "a") -> None:
        self.spec, self.act = spec, act
        self.where, self.provider, self.sha256 = f"{name}.onnx", "cpu", name * 64
        self.options = EngineOptions()
        self.seen: list[int] = []
        self.vitals = Vitals(None)
        self.vitals.move(State.READY)
        self.closed = False

    def segment(self, frame: np.ndarray) -> Result:
        self.seen.append(int(frame[0, 0, 0]))
        self.act(frame)
        labels = np.full(self.spec.labels_shape, frame[0, 0, 0], np.uint8)
        return Result(labels=labels, valid=bool(labels.max() != 255), latency_ms=1.0, provider="cpu")

    def health(self) -> Health:
        return self.vitals.health()

    def close(self) -> None:
        self.closed = True


class Gate:
    """Holds runs until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, _: np.ndarray) -> None:
        self.entered.set()
        self.opened.wait(30)


def frame(value: int) -> np.ndarray:
    pixels = np.random.default_rng(value).integers(40, 200, SHAPE, dtype=np.uint8)
    pixels[0, 0, 0] = value % 100
    return pixels


def counts_of(health: StreamHealth, camera: str) -> dict[str, int]:
    counts = health.cameras[camera]
    return {name: getattr(counts, name) for name in ("ok", "late", "dropped", "stale", "invalid", "failed")}


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.0005)


def send(stream: Stream, frame_id: int, camera: str = "front") -> Outcome | None:
    return stream.submit(frame(frame_id), frame_id, time.monotonic_ns(), camera)


def codes(events: list[Event]) -> list[str]:
    return [event.code for event in events]
