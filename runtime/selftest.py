"""The self-test: the frames that travel in a model file, run through it here, against the labels that it must give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import SpecError
from .golden import GoldenFrame
from .spec import ModelSpec

if TYPE_CHECKING:
    from .segmenter import Segmenter

Label = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What came of it.

    Attributes:
        frames: golden frames in the file.
        agreement: of each, the share of pixels labelled as the file must label them, 0 to 1.
        required: the share that the file asks for on this provider.
        provider: what ran them.
    """

    frames: int
    agreement: tuple[float, ...]
    required: float
    provider: str

    @property
    def passed(self) -> bool:
        """Whether each frame agrees as far as is required."""
        return all(share >= self.required for share in self.agreement)


def self_test(segmenter: "Segmenter") -> SelfTest:
    """Runs the golden frames of a model file; of a file for batches, in every place of the batch.

    Args:
        segmenter: an open one; left open.

    Raises:
        SpecError: the file carries no golden frames.
        ModelFileError: they are not what its spec says.
        DeviceError: the engine or its device failed.

    >>> from segtool_runtime import Segmenter, self_test
    >>> with Segmenter("model.onnx", provider="cpu") as segmenter:
    ...     self_test(segmenter).passed
    True
    """
    spec = segmenter.spec
    golden = segmenter.golden_frames()
    if spec.golden is None or not golden:
        raise SpecError(
            f"{segmenter.where}: expected a file that carries golden frames, got one without; export it again with "
            "`segtool export`, which puts two of them in"
        )
    return run_golden(lambda frames: segmenter.segment(frames).labels, golden, spec, segmenter.provider)


def run_golden(label: Label, golden: tuple[GoldenFrame, ...], spec: ModelSpec, provider: str) -> SelfTest:
    """Runs golden frames through whatever labels them.

    Args:
        label: takes what `Segmenter.segment` takes, and gives the labels that it gives.
        golden: the frames, at least one.
        spec: the file's.
        provider: that runs it.
    """
    agreement = [1.0] * len(golden)
    for start in range(0, len(golden), spec.batch):
        places = [(start + place) % len(golden) for place in range(spec.batch)]
        images = np.stack([golden[place].image for place in places])
        labels = label(images if spec.batch > 1 else images[0])
        for place, answer in zip(places, labels.reshape(spec.batch, *spec.labels_shape), strict=True):
            agreement[place] = min(agreement[place], float(np.mean(answer == golden[place].labels)))
    required = _required((spec.golden or {}).get("agreement"), provider)
    return SelfTest(frames=len(golden), agreement=tuple(agreement), required=required, provider=provider)


def _required(agreement: object, provider: str) -> float:
    shares = dict(agreement) if isinstance(agreement, Mapping) else {}
    return float(shares.get(provider, shares["*"]))
