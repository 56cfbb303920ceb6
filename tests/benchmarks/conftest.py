"""Stands in for a Segmenter where a test must know each time and each label beforehand."""

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.frames import check_frame
from runtime.options import EngineOptions
from runtime.spec import ModelSpec


class StubSegmenter:
    """Sleeps as scheduled, answers with the first channel (of the crop); invalid where the first green value is 255."""

    def __init__(self, schedule_ms: Sequence[float], spec: ModelSpec) -> None:
        self.spec = spec
        self.provider = "cpu"
        self.options = EngineOptions()
        self.sha256 = "ab" * 32
        self.schedule_ms = list(schedule_ms)
        self.seen: list[np.ndarray] = []

    def segment(self, frame: np.ndarray, out: np.ndarray | None = None) -> SimpleNamespace:
        check_frame(frame, self.spec)
        if self.schedule_ms:
            time.sleep(self.schedule_ms[len(self.seen) % len(self.schedule_ms)] / 1e3)
        self.seen.append(frame)
        left, top, width, height = (self.spec.camera and self.spec.camera.crop) or (0, 0, None, None)
        labels = frame[..., top : height and top + height, left : width and left + width, 0].copy()
        if out is not None:
            out[...] = labels
        return SimpleNamespace(labels=labels, valid=bool(frame[..., 1].flat[0] != 255), latency_ms=0.0, provider="cpu")


@pytest.fixture
def stub_segmenter() -> Callable[..., StubSegmenter]:
    def make(schedule_ms: Sequence[float] = (), **changes: object) -> StubSegmenter:
        facts = {
            "label_space": "categories",
            "classes": ("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
            "height_px": 4,
            "width_px": 6,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "precision": "fp32",
            "training": {},
            "producer": {},
        } | changes
        facts["palette"] = ((0, 0, 0),) * len(facts["classes"])
        return StubSegmenter(schedule_ms, ModelSpec(**facts))

    return make
