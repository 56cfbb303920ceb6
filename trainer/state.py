"""What a run is made of between two steps, and how it gets into a checkpoint and back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from runtime.errors import CheckpointError
from runtime.metrics import Scores
from trainer.checkpoint import (
    MODEL,
    OPTIMIZER,
    Checkpoint,
    load_checkpoint,
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
        images_seen: images of the next epoch already trained on (an interrupted one).
        best_mean_iou: of validation, -1 before the first.
        best_epoch: where it was reached.
        history: one JSON object per completed epoch, as `epoch_entry` makes them.
    """

    epoch: int = 0
    images_seen: int = 0
    best_mean_iou: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def describe_data(source: FrameSource) -> dict[str, Any]:
    """Which data a run was trained on: name, SHA-256 of every frame, frames per split."""
    return {
        "name": source.path.name,
        "sha256": source.fingerprint(),
        "frames": {split: len(names) for split, names in source.splits.items()},
    }


def save_state(
    run: RunFolder,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    facts: dict[str, Any],
    *,
    best: bool,
) -> None:
    """Writes `best` (weights) where asked, then `last` (weights and optimiser state).

    Args:
        run: the folder.
        network: its weights.
        optimizer: its state.
        progress: goes into the record.
        facts: what else the record says: config, classes, data, precision, scaler ...
        best: whether this epoch is the best so far.
    """
    record = {**facts, **vars(progress)}
    model = {MODEL + name: tensor for name, tensor in network.state_dict().items()}
    if best:
        save_checkpoint(run.best, Checkpoint(tensors=model, record=record))
    state = {OPTIMIZER + name: tensor for name, tensor in pack_optimizer(optimizer).items()}
    save_checkpoint(run.last, Checkpoint(tensors={**model, **state}, record=record))


def restore_state(
    run: RunFolder, network: nn.Module, optimizer: torch.optim.Optimizer, data: dict[str, Any]
) -> tuple[Progress, dict[str, Any] | None]:
    """Puts `last` back into network and optimiser.

    Returns:
        The progress, and the state of the gradient scaler where the run had one.

    Raises:
        CheckpointError: there is no usable `last`, or it was trained on other data.
    """
    checkpoint = load_checkpoint(run.last)
    record, before = checkpoint.record, checkpoint.record["data"]
    if before["sha256"] != data["sha256"]:
        raise CheckpointError(
            f"{run.last}: was trained on other data ({before['name']}, SHA-256 {before['sha256'][:12]}) than "
            f"{data['name']} ({data['sha256'][:12]}); give that data, or another --out"
        )
    load_weights(network, checkpoint, str(run.last))
    unpack_optimizer(optimizer, checkpoint.part(OPTIMIZER))
    names = ("epoch", "images_seen", "best_mean_iou", "best_epoch", "history")
    return Progress(**{name: record[name] for name in names}), record["scaler"]


def epoch_entry(
    epoch: int, loss: float, result: Scores, classes: Sequence[str], *, train_seconds: float, seconds: float
) -> dict[str, Any]:
    """One line of metrics.jsonl; an absent class and the loss of an epoch without a step are null."""
    return {
        "epoch": epoch,
        "loss": number(loss),
        "dice": number(result.mean_dice),
        "mean_iou": number(result.mean_iou),
        "averaged_classes": result.averaged_classes,
        "pixel_accuracy": number(result.pixel_accuracy),
        "iou": {name: number(value) for name, value in zip(classes, result.iou.tolist(), strict=True)},
        "train_seconds": round(train_seconds, 2),
        "seconds": round(seconds, 2),
    }
