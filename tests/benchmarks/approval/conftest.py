"""Two models that are tables: a frame's red level says what each of them answers. No engine, no file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.approval.sides import Side
from runtime.errors import DataError
from trainer.data.dataset import Frame
from trainer.data.images import resize_image

CLASSES = ("road", "sky", "car")


@pytest.fixture
def table_side() -> Callable[..., Side]:
    """Makes a side that answers `table[red level]`, at a size of its own; `seen` in its facts counts its pictures."""

    def make(table: dict[int, int], labels_px: tuple[int, int] = (4, 4), **changes: object) -> Side:
        answers = np.arange(256).astype(np.uint8)
        for level, answer in table.items():
            answers[level] = answer
        seen: list[int] = []

        def label(images: Sequence[np.ndarray]) -> list[np.ndarray]:
            seen.append(len(images))
            return [answers[resize_image(image, *labels_px)[..., 0]] for image in images]

        facts = {"where": "model.onnx", "label_space": "three", "classes": CLASSES, "batch": 1, "facts": {"seen": seen}}
        return Side(labels_px=labels_px, label=label, **(facts | changes))

    return make


@pytest.fixture
def dataset_of() -> Callable[..., SimpleNamespace]:
    """Makes a data set out of (red levels [H,W], truth [H,W]) for each frame of its one split, val."""

    def make(frames: Sequence[tuple[np.ndarray, np.ndarray]], classes: tuple[str, ...] = CLASSES) -> SimpleNamespace:
        def read(split: str, index: int) -> Frame:
            levels, truth = (np.asarray(each, np.uint8) for each in frames[index])
            return Frame(f"{split}/{index}.png", np.repeat(levels[..., None], 3, axis=2), truth)

        def named(split: str) -> tuple[str, ...]:
            if split != "val":
                raise DataError(f"no frames in {split}")
            return tuple(str(index) for index in range(len(frames)))

        space = SimpleNamespace(name="three", classes=classes)
        return SimpleNamespace(path=Path("DATA"), label_space=space, frames=named, read=read)

    return make
