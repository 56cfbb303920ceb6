"""Stands in for a Segmenter where a test must know each time and each label beforehand."""

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest


class StubSegmenter:
    """Sleeps as scheduled, answers with the red channel; a frame whose first green value is 255 is invalid."""

    def __init__(self, schedule_ms: Sequence[float], spec: SimpleNamespace) -> None:
        self.spec = spec
        self.provider = "cpu"
        self.threads = None
        self.sha256 = "ab" * 32
        self.schedule_ms = list(schedule_ms)
        self.seen: list[np.ndarray] = []

    def segment(self, frame: np.ndarray, out: np.ndarray | None = None) -> SimpleNamespace:
        if self.schedule_ms:
            time.sleep(self.schedule_ms[len(self.seen) % len(self.schedule_ms)] / 1e3)
        self.seen.append(frame)
        labels = frame[..., 0].copy()
        if out is not None:
            out[...] = labels
        return SimpleNamespace(labels=labels, valid=bool(frame[0, 0, 1] != 255), latency_ms=0.0, provider="cpu")


@pytest.fixture
def stub_segmenter() -> Callable[..., StubSegmenter]:
    def make(schedule_ms: Sequence[float] = (), **changes: object) -> StubSegmenter:
        facts = {
            "label_space": "categories",
            "classes": ("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
            "height_px": 4,
            "width_px": 6,
            "precision": "fp32",
            "ignore_id": 255,
        }
        return StubSegmenter(schedule_ms, SimpleNamespace(**(facts | changes)))

    return make
