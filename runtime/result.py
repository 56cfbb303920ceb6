"""The answer to one frame."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The answer to one frame, or to one batch of them.

    Attributes:
        labels: uint8 [H, W] of spec.labels_shape; a class's place in spec.classes, or 255 where there is no valid
            answer. A file for batches of N > 1 gives [N, H, W].
        confidence: uint8 of the same shape, 255 times the probability that the network gives the winning class, 0 where
            there is no valid answer; None where the file has no such output.
        valid: False where a single 255 stands in the labels: the network's numbers were not finite there.
        latency_ms: copying the frame in, the engine's run and copying the answer out; without waiting for the lock.
        late: that took longer than the deadline in the options; never where they name none.
        provider: the provider that computed it ("cuda").
    """

    labels: Labels = field(repr=False)
    confidence: Labels | None = field(repr=False, default=None)
    valid: bool
    latency_ms: float
    late: bool = False
    provider: str
