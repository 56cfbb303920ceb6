"""Scores to a tracker beside metrics.jsonl, through Accelerate's own trackers."""

from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available

from runtime.errors import MissingPackage
from trainer.settings.fit_options import Tracker

FOLDER = "tensorboard"  # in the run


def accelerate_tracker(tracker: Tracker) -> str | None:
    """What Accelerate calls it; None for none.

    Raises:
        MissingPackage: the tracker's package is not installed; Accelerate would leave it out in silence.
    """
    if tracker == "none":
        return None
    if not is_tensorboard_available():
        raise MissingPackage(
            "--track tensorboard needs the package tensorboard, which is not installed; "
            'run: pip install "segtool[tensorboard]"'
        )
    return tracker


def start_tracking(accelerator: Accelerator, tracker: Tracker, run: Path, epoch: int) -> None:
    """Opens the tracker's files in the run; only the main process does.

    Args:
        accelerator: made with `log_with` and the run as its project folder.
        tracker: which.
        run: the folder.
        epoch: epochs completed; what an earlier sitting logged after them is hidden.
    """
    if tracker != "none":
        run.mkdir(parents=True, exist_ok=True)
        accelerator.init_trackers(FOLDER, init_kwargs={"tensorboard": {"purge_step": epoch + 1}})


def track_epoch(accelerator: Accelerator, entry: dict[str, Any]) -> None:
    """Logs an entry of metrics.jsonl: loss, scores, IoU of each class, learning rate; what is null is left out."""
    single = ("loss", "skipped", "mean_iou", "dice", "pixel_accuracy", "learning_rate")
    values = {name: entry[name] for name in single} | {f"iou/{name}": value for name, value in entry["iou"].items()}
    accelerator.log({name: value for name, value in values.items() if value is not None}, step=entry["epoch"])


def stop_tracking(accelerator: Accelerator) -> None:
    """Closes the tracker's files."""
    # not by Accelerate's end_training, which ends the group of processes too, and a next run with it
    for tracker in accelerator.trackers:
        tracker.finish()
