"""The file that is to be proven, run as a vehicle would run it: its very bytes in a Segmenter. No torch.

A file for batches of N gets N frames at a time, the last batch filled up with its last frame.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.files import write_whole
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the file says of one frame.

    Attributes:
        labels_hw: uint8 [spec.labels_shape].
        confidence_hw: uint8 of the same shape; None where the file has no such output.
    """

    labels_hw: NDArray[np.uint8]
    confidence_hw: NDArray[np.uint8] | None


class Candidate:
    """A finished file, opened on a provider; a context manager."""

    def __init__(self, data: bytes, provider: str = "cpu", options: EngineOptions | None = None) -> None:
        """Opens it.

        Args:
            data: of the file, sealed.
            provider: a name of runtime/engine/providers.py, or "auto".
            options: of its engine; None for the usual ones.

        Raises:
            ModelFileError: not a sound file.
            DeviceError: the provider does not run it.
        """
        with tempfile.TemporaryDirectory(prefix="segtool-proof-") as folder:
            path = Path(folder) / "candidate.onnx"
            write_whole(path, data)
            self._segmenter = Segmenter(path, provider, options=options, warmup_frames=0, self_test=False)

    @property
    def spec(self) -> ModelSpec:
        """What the file says of itself."""
        return self._segmenter.spec

    @property
    def provider(self) -> str:
        """That runs it."""
        return self._segmenter.provider

    @property
    def sha256(self) -> str:
        """Of the file, 64 hex digits."""
        return self._segmenter.sha256

    def answer(self, images: Sequence[NDArray[np.uint8]]) -> list[Answer]:
        """Answers at most `spec.batch` frames, in one run.

        Args:
            images: uint8 [spec.frame_shape] each, one or more.
        """
        result = self._segmenter.segment(as_batch(images, self.spec.batch))
        shape = (self.spec.batch, *self.spec.labels_shape)
        confidence = None if result.confidence is None else result.confidence.reshape(shape)
        return [
            Answer(labels_hw=labels_hw, confidence_hw=None if confidence is None else confidence[index])
            for index, labels_hw in enumerate(result.labels.reshape(shape)[: len(images)])
        ]

    def __enter__(self) -> "Candidate":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._segmenter.close()


def as_batch(images: Sequence[NDArray[np.uint8]], batch: int) -> NDArray[np.uint8]:
    """What a file for this batch takes: [frame_shape] for 1, else [N, frame_shape], filled up with the last."""
    if batch == 1:
        return images[0]
    return np.stack([*images, *[images[-1]] * (batch - len(images))])


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last perhaps shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
