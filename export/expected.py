"""What a file's answers were like in its proof, for the spec: the runtime flags live answers that are far from it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.proof.candidate import Answer
from export.proof.prove import Watch
from export.proof.reference import ReferenceFrame
from runtime.errors import UsageError
from runtime.stream.plausibility import class_shares, unsure_share
from trainer.data.dataset import Frame

_DIGITS = 4  # of a share; a pixel of the grid that they are counted on is 0.00006


@dataclass(kw_only=True)
class Expected:
    """Adds up answers; `document` gives what came of those added so far.

    Attributes:
        classes: names, in the order of their labels.
    """

    classes: tuple[str, ...]
    _shares: list[NDArray[np.float64]] = field(default_factory=list)
    _unsure: list[float] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Adds the answer to one frame."""
        self._shares.append(class_shares(answer.labels_hw, len(self.classes)))
        if answer.confidence_hw is not None:
            self._unsure.append(unsure_share(answer.confidence_hw))

    def document(self) -> dict[str, object]:
        """The spec's `expected`.

        Raises:
            UsageError: no answer was added.
        """
        if not self._shares:
            raise UsageError("expected one answer or more to know what is usual, got none; give frames")
        lowest, highest = np.min(self._shares, axis=0), np.max(self._shares, axis=0)
        ranges = np.stack([lowest, highest], axis=1).round(_DIGITS).tolist()
        return {
            "frames": len(self._shares),
            "shares": dict(zip(self.classes, ranges, strict=True)),
            "unsure": round(max(self._unsure), _DIGITS) if self._unsure else None,
        }


def expecting(expected: Expected, watch: Watch) -> Watch:
    """Has a proof show each of its frames to both."""

    def both(frame: Frame, wanted: ReferenceFrame, got: Answer) -> None:
        expected.add(got)
        watch(frame, wanted, got)

    return both
