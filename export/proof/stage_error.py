"""How far one stage of a file is off, and whether that is allowed. Plain values only."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StageError:
    """How far a stage of the file is from the reference, over all frames.

    Attributes:
        name: of the stage.
        largest: absolute error; in grey levels of 255 for "colour" and "resized", in standard deviations for
            "normalised", in spreads of the frame's logits (`pixels.margins`) for "logits"; NaN where one is not finite.
        mean: absolute error, likewise.
        tolerance: of `largest`.
    """

    name: str
    largest: float
    mean: float
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the stage agrees; what is not finite does not."""
        return self.largest <= self.tolerance

    @property
    def failure(self) -> str | None:
        """One sentence where it does not."""
        if self.within:
            return None
        if not math.isfinite(self.largest):
            return f"stage {self.name}: a value is not finite, in the file or in the network"
        return f"stage {self.name} is off by up to {self.largest:.4g}, at most {self.tolerance:.4g} is allowed"
