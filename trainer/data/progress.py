"""A progress bar for loops over frames: on stderr where that is a terminal, nothing at all otherwise."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress
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


@contextmanager
def progress(description: str, total: float, redraw_s: float = 1.0) -> Iterator[Callable[[float], None]]:
    """Shows a bar on stderr, when that is a terminal, that the block moves on itself.

    Args:
        description: what is being done, left of the bar.
        total: how many steps there are.
        redraw_s: least time between two drawings, each of which takes milliseconds of the thread that advances.

    Yields:
        A function that is told how many more steps are done.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    # no thread that redraws: it would take a core from what is measured
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(description, total=total)
        bar.refresh()
        done, drawn_s = 0.0, time.monotonic()

        def advance(steps: float) -> None:
            nonlocal done, drawn_s
            done += steps
            now_s = time.monotonic()
            if now_s - drawn_s >= redraw_s:
                bar.update(task, completed=done, refresh=True)
                drawn_s = now_s

        yield advance
