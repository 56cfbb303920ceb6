"""Contestants measured in turn, round by round: whatever slows the machine down, it slows down for all of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Contestant(Protocol):
    """Whoever can be asked for a turn."""

    def turn(self, calls: int) -> list[int]:
        """Runs so many frames, one after another, and returns each one's nanoseconds."""


def interleave(
    contestants: Mapping[str, Contestant],
    *,
    calls: int,
    seed: int,
    rounds: Iterable[int],
    rest: Callable[[], None],
) -> dict[str, NDArray[np.float64]]:
    """Gives every contestant one turn in each round, in an order drawn anew for each.

    Args:
        contestants: by name, open and warm.
        calls: frames of a turn, at least 1.
        seed: of the orders.
        rounds: what to count them by, at least one.
        rest: called before each turn, until the threads of the one before have gone to sleep.

    Returns:
        By name float64 [rounds, calls], milliseconds.
    """
    generator = np.random.default_rng(seed)
    names = list(contestants)
    found: dict[str, list[list[int]]] = {name: [] for name in names}
    for _ in rounds:
        for place in generator.permutation(len(names)):
            rest()
            found[names[place]].append(contestants[names[place]].turn(calls))
    return {name: np.array(turns, dtype=np.float64) / 1e6 for name, turns in found.items()}
