"""What a run is made of between two steps, and how it gets into a checkpoint and back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from runtime.metrics import Scores
from trainer.checkpoint import (
    AVERAGE,
    MODEL,
    OPTIMIZER,
    Checkpoint,
    load_weights,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
)
from trainer.data.dataset import Dataset as FrameSource
from trainer.json_file import number
from trainer.run_folder import RunFolder


@dataclass(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: epochs completed.
        images_seen: images of the next epoch already trained on (an interrupted one), skipped steps included.
        loss_sum: over those images, skipped steps left out.
        loss_images: how many images that sum is over.
        skipped: steps of the next epoch that were skipped because a number was not finite.
        skipped_in_row: such steps without another between them, up to now.
        best_mean_iou: of validation, -1 before the first.
        best_epoch: where it was reached.
        history: one JSON object per completed epoch, as `epoch_entry` makes them.
    """

    epoch: int = 0
    images_seen: int = 0
    loss_sum: float = 0.0
    loss_images: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    best_mean_iou: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """Mean over the images of the next epoch so far, NaN before the first."""
        return self.loss_sum / self.loss_images if self.loss_images else float("nan")

    def count_step(self, images: int, loss: float, *, skipped: bool) -> None:
        """Notes a step over so many images (of all processes) and its mean loss."""
        self.images_seen += images
        if skipped:
            self.skipped, self.skipped_in_row = self.skipped + 1, self.skipped_in_row + 1
            return
        self.loss_sum, self.loss_images = self.loss_sum + loss * images, self.loss_images + images
        self.skipped_in_row = 0

    def close_epoch(self) -> None:
        """Goes on to the epoch after the one just trained."""
        self.epoch += 1
        self.images_seen = self.loss_images = self.skipped = 0
        self.loss_sum = 0.0


def describe_data(source: FrameSource) -> dict[str, Any]:
    """Which data a run was trained on: name, SHA-256 of every frame, how masks were read, frames per split."""
    return {
        "name": source.path.name,
        "sha256": source.fingerprint(),
        "unsure": source.unsure,
        "frames": {split: len(set(names)) for split, names in source.splits.items()},  # --overfit repeats them
    }


def describe_classes(source: FrameSource) -> dict[str, Any]:
    """What the labels mean: the label space's name, its classes in label order, an RGB (0..255) for each."""
    space = source.label_space
    return {"name": space.name, "classes": list(space.classes), "palette": [list(colour) for colour in space.palette]}


def save_state(
    run: RunFolder,
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    record: dict[str, Any],
    *,
    best: bool,
    keep: int,
) -> None:
    """Writes checkpoints, and only then removes those that are no longer wanted.

    Args:
        run: the folder.
        network: its weights.
        average: their moving average, where the run keeps one.
        optimizer: its state.
        record: progress, config, classes, data, precision, scaler ...
        best: write `best`, with the weights that were validated.
        keep: write the checkpoint of this epoch too, and keep the newest so many of them; 0 for neither.
    """
    model = {MODEL + name: tensor for name, tensor in network.state_dict().items()}
    state = {OPTIMIZER + name: tensor for name, tensor in pack_optimizer(optimizer).items()}
    averaged = {AVERAGE + name: tensor for name, tensor in average.state_dict().items()} if average else {}
    whole = Checkpoint(tensors={**model, **state, **averaged}, record=record)
    if keep:
        save_checkpoint(run.past(record["epoch"]), whole)
    if best:
        validated = {MODEL + name: tensor for name, tensor in whole.validated().items()}
        save_checkpoint(run.best, Checkpoint(tensors=validated, record=record))
    save_checkpoint(run.last, whole)
    if keep:
        run.remove_past(keep, record["epoch"])


def restore_state(
    checkpoint: Checkpoint,
    network: nn.Module,
    average: AveragedModel | None,
    optimizer: torch.optim.Optimizer,
    where: str,
) -> Progress:
    """Puts a checkpoint back into network, average and optimiser.

    Raises:
        CheckpointError: it does not fit.
    """
    load_weights(network, checkpoint.part(MODEL), where)
    averaged = checkpoint.part(AVERAGE)
    if average is not None and averaged:  # an inexact resume may begin to average here
        load_weights(average, averaged, where)
    unpack_optimizer(optimizer, checkpoint.part(OPTIMIZER))
    return Progress(**{each.name: checkpoint.record[each.name] for each in fields(Progress)})


def epoch_entry(
    progress: Progress,
    result: Scores,
    classes: Sequence[str],
    *,
    learning_rate: float,
    train_seconds: float,
    seconds: float,
) -> dict[str, Any]:
    """One line of metrics.jsonl for the epoch that was just trained, before `Progress.close_epoch`.

    An absent class, and the loss of an epoch without a step, are null. The seconds are those of the last sitting.
    """
    return {
        "epoch": progress.epoch + 1,
        "loss": number(progress.loss),
        "skipped": progress.skipped,
        "learning_rate": learning_rate,
        "dice": number(result.mean_dice),
        "mean_iou": number(result.mean_iou),
        "averaged_classes": result.averaged_classes,
        "pixel_accuracy": number(result.pixel_accuracy),
        "iou": {name: number(value) for name, value in zip(classes, result.iou.tolist(), strict=True)},
        "train_seconds": round(train_seconds, 2),
        "seconds": round(seconds, 2),
    }
