"""How the learning rate moves over a run: a factor of the highest, as a function of the share of the run that is done.

A function of the place in the run and of nothing else, so that a resumed run goes on exactly where it was.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from runtime.errors import UsageError

ScheduleKind = Literal["cooldown", "constant", "cosine", "poly", "one-cycle"]

COOLDOWN_SHARE = 0.4  # of the run
POLY_POWER = 0.9  # Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation"
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25e4  # of the highest; torch's OneCycleLR


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """A learning-rate schedule.

    Attributes:
        kind: "constant"; "cooldown" keeps the rate for 60 % of the run and lets it fall to 0 linearly (Hägele et al.
            2024, "Scaling laws and compute-optimal training beyond fixed training durations"); "cosine" falls to 0
            along half a cosine (Loshchilov, Hutter 2017); "poly" falls as (1 - share)^0.9; "one-cycle" rises from 1/25
            along half a cosine during the warm-up and falls along another to nearly 0 (Smith, Topin 2018, without its
            momentum cycle).
        warm_up: share of the run, 0 to below 1, in which the rate rises: linearly from 0, for "one-cycle" as told
            above. With "cooldown" at most 0.6.
    """

    kind: ScheduleKind = "cooldown"
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScheduleKind):
            raise UsageError(f"--schedule must be one of {', '.join(get_args(ScheduleKind))}, got {self.kind!r}")
        if not 0 <= self.warm_up < 1:
            raise UsageError(f"--warm-up must be a share of the run from 0 to below 1, got {self.warm_up:g}")
        if self.kind == "cooldown" and self.warm_up > 1 - COOLDOWN_SHARE:
            raise UsageError(
                f"--warm-up must end where the cooldown starts, at {1 - COOLDOWN_SHARE:g} of the run, got "
                f"{self.warm_up:g}; give less, or another --schedule"
            )

    def factor(self, share_done: float) -> float:
        """The learning rate over the highest one, when `share_done` (0..1) of the run's images have been trained on."""
        if share_done < self.warm_up:
            rising = share_done / self.warm_up
            return _cosine(ONE_CYCLE_START, 1.0, rising) if self.kind == "one-cycle" else rising
        if self.kind == "constant":
            return 1.0
        if self.kind == "cooldown":
            return min(1.0, (1.0 - share_done) / COOLDOWN_SHARE)
        falling = (share_done - self.warm_up) / (1.0 - self.warm_up)
        if self.kind == "poly":
            return float(max(0.0, 1.0 - falling) ** POLY_POWER)
        return _cosine(1.0, ONE_CYCLE_END if self.kind == "one-cycle" else 0.0, falling)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
