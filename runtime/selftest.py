"""The self-test: the frames that travel in a model file, run through it here, against the labels that it must give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import SpecError
from .segmenter import Segmenter


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


def self_test(segmenter: Segmenter) -> SelfTest:
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
    agreement = [1.0] * len(golden)
    for start in range(0, len(golden), spec.batch):
        places = [(start + place) % len(golden) for place in range(spec.batch)]
        images = np.stack([golden[place].image for place in places])
        labels = segmenter.segment(images if spec.batch > 1 else images[0]).labels
        for place, answer in zip(places, labels.reshape(spec.batch, *spec.labels_shape), strict=True):
            agreement[place] = min(agreement[place], float(np.mean(answer == golden[place].labels)))
    return SelfTest(
        frames=len(golden),
        agreement=tuple(agreement),
        required=_required(spec.golden["agreement"], segmenter.provider),
        provider=segmenter.provider,
    )


def _required(agreement: object, provider: str) -> float:
    shares = dict(agreement) if isinstance(agreement, Mapping) else {}
    return float(shares.get(provider, shares["*"]))
