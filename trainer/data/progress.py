"""A progress bar for loops over frames: on stderr where that is a terminal, nothing at all otherwise."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: float | None = None) -> Iterator[Item]:
    """Yields `items` unchanged, with a bar on stderr when stderr is a terminal.

    Args:
        items: what to go through.
        description: what is being done, left of the bar.
        total: how many items there are, where `items` has no length.
    """
    if sys.stderr is not None and sys.stderr.isatty():  # rich's own test says yes to FORCE_COLOR, which logs may set
        yield from rich_track(items, description, total=total, console=Console(stderr=True), transient=True)
    else:
        yield from items
