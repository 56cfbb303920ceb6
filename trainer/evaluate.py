"""A network's scores over a split: one confusion matrix for the whole set, never a mean of means."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from runtime.errors import DataError
from runtime.metrics import Scores, confusion_matrix, scores
from trainer.checkpoint import Checkpoint, load_checkpoint, load_weights
from trainer.config import TrainConfig
from trainer.data.dataset import open_dataset
from trainer.data.label_space import label_space
from trainer.data.progress import track
from trainer.loader import Item, batches, plain_loader
from trainer.networks.ends import Normalise, labels_from_logits
from trainer.networks.unet import UNet


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network rebuilt from a checkpoint, in evaluation mode, float32, on the CPU.

    Attributes:
        network: normalised float32 [N,3,H,W] -> logits [N,C,H,W].
        config: the run's settings.
        classes: names, in label order.
        checkpoint: where the weights came from.
    """

    network: UNet
    config: TrainConfig
    classes: tuple[str, ...]
    checkpoint: Checkpoint


def load_trained(path: Path) -> TrainedNetwork:
    """Rebuilds the network of a checkpoint file.

    Raises:
        CheckpointError: the file is absent, damaged or does not fit its own settings.
    """
    checkpoint = load_checkpoint(path)
    config = TrainConfig.from_dict(checkpoint.record["config"], str(path))
    classes = label_space(config.label_space).classes
    network = UNet(config.network, len(classes))
    load_weights(network, checkpoint, str(path))
    return TrainedNetwork(network=network.eval(), config=config, classes=classes, checkpoint=checkpoint)


def predict_batches(
    network: nn.Module, loader: DataLoader[Item], device: torch.device
) -> Iterator[tuple[Tensor, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Runs a network over batches without gradients.

    Yields:
        image uint8 [N,H,W,3] (CPU), truth uint8 [N,H,W], predicted uint8 [N,H,W] (255 where a logit is not finite).
    """
    normalise = Normalise().to(device)
    was_training = network.training
    network.eval()
    try:
        for image_nhwc, truth_nhw in batches(loader):
            with torch.no_grad():
                logits = network(normalise(image_nhwc.to(device, non_blocking=True)))
                predicted_nhw = labels_from_logits(logits.float())
            yield image_nhwc, truth_nhw.numpy(), predicted_nhw.cpu().numpy()
    finally:
        network.train(was_training)


def evaluate_run(run: Path, data: Path, split: str = "val") -> tuple[Scores, tuple[str, ...]]:
    """Scores a run's best checkpoint, in float32 PyTorch, at the network's size.

    Args:
        run: the training folder.
        data: a data set that has the run's label space.
        split: which part of it.

    Returns:
        The scores and the class names in label order.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        DataError: the data set is not usable or has no such split.
    """
    trained = load_trained(run / "best.safetensors")
    config = trained.config
    source = open_dataset(data, config.label_space)
    if not source.splits.get(split):
        raise DataError(f"{data}: has no frames in split {split!r}, only in {', '.join(source.splits)}; give --split")
    loader = plain_loader(source, split, config.height_px, config.width_px)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = trained.network.to(device)
    confusion = np.zeros((len(trained.classes), len(trained.classes) + 1), np.int64)
    results = predict_batches(network, loader, device)
    for _, truth, predicted in track(results, f"evaluating {run.name}", len(loader)):
        confusion += confusion_matrix(truth, predicted, len(trained.classes))
    return scores(confusion), trained.classes
