"""What a person sees while a run trains: a bar with loss, images/s and time left, and a line for each epoch."""

import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class TrainDisplay:
    """Bar and lines on stderr; the bar only where stderr is a terminal, nothing where `quiet`.

    Args:
        epochs: of the whole run.
        quiet: for every process but the first.
    """

    def __init__(self, epochs: int, *, quiet: bool) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[rate]:.0f} images/s{task.fields[skipped]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._epochs = epochs
        self._task = self._progress.add_task("", total=None, loss=float("nan"), rate=0.0, skipped="")

    def __enter__(self) -> "TrainDisplay":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start_epoch(self, epoch: int, images: int, done: int) -> None:
        """Starts the bar of an epoch of so many images, `done` of them seen before an interruption."""
        # all fields: what reset() is not given, it takes away
        self._progress.reset(
            self._task,
            total=images,
            completed=done,
            description=f"epoch {epoch}/{self._epochs}",
            loss=float("nan"),
            rate=0.0,
            skipped="",
        )

    def step(self, images: int, loss: float, rate: float, skipped: int) -> None:
        """Moves the bar by a step of `images` images; `skipped` steps of the epoch were not finite."""
        self._progress.update(self._task, advance=images, loss=loss, rate=rate, skipped=_skipped(skipped))

    def epoch_line(self, entry: dict[str, Any], *, improved: bool) -> None:
        """Prints the scores of a completed epoch, an entry of metrics.jsonl."""

        def shown(name: str) -> str:
            return "-" if entry[name] is None else f"{entry[name]:.4f}"

        self.line(
            f"epoch {entry['epoch']:>3}/{self._epochs}  loss {shown('loss')}  dice {shown('dice')}  "
            f"mean IoU {shown('mean_iou')}  accuracy {shown('pixel_accuracy')}  "
            f"{entry['seconds']:.0f} s{_skipped(entry['skipped'])}{'  best' if improved else ''}"
        )

    def line(self, text: str) -> None:
        """Prints a line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _skipped(steps: int) -> str:
    return f"  {steps} step{'s' if steps > 1 else ''} skipped, not finite" if steps else ""
