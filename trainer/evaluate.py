"""A network's scores over a split: one confusion matrix for the whole set, never a mean of means."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runtime.errors import DataError
from trainer.checkpoint import Checkpoint, load_checkpoint, load_weights
from trainer.data.dataset import Dataset, open_dataset
from trainer.data.progress import track
from trainer.loader import Item, batches, plain_loader
from trainer.networks.catalogue import build_network
from trainer.networks.ends import Normalise, labels_from_logits
from trainer.settings.config import TrainConfig
from trainer.tally import Tally
from trainer.views import AveragedViews, Views
from trainer.workers import WatchedLoader


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network rebuilt from a checkpoint, in evaluation mode, float32, on the CPU.

    Attributes:
        network: normalised float32 [N,3,H,W] -> logits [N,C,H,W].
        config: the run's settings.
        label_space: name of what the labels mean.
        classes: names, in label order.
        palette: an RGB (0..255) for each class.
        checkpoint: where the weights came from.
    """

    network: nn.Module
    config: TrainConfig
    label_space: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    checkpoint: Checkpoint


def load_trained(path: Path) -> TrainedNetwork:
    """Rebuilds the network of a checkpoint file.

    Raises:
        CheckpointError: the file is absent, damaged or does not fit its own settings.
    """
    checkpoint = load_checkpoint(path)
    config = TrainConfig.from_dict(checkpoint.record["config"], str(path))
    space = checkpoint.record["label_space"]
    network = build_network(config.network, len(space["classes"]))
    load_weights(network, checkpoint.validated(), str(path))
    return TrainedNetwork(
        network=network.eval(),
        config=config,
        label_space=space["name"],
        classes=tuple(space["classes"]),
        palette=tuple((red, green, blue) for red, green, blue in space["palette"]),
        checkpoint=checkpoint,
    )


def predict_batches(
    network: nn.Module, loader: WatchedLoader[Item], device: torch.device
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


@dataclass(frozen=True, kw_only=True)
class ViewsResult:
    """What averaging over views gave, and what it cost.

    Attributes:
        averaged: counts of the average.
        plain: counts of the network alone, on the same frames.
        averaged_ms: of the network per frame, milliseconds; the first batch is left out where there are more.
        plain_ms: likewise, measured in turn with the other.
    """

    averaged: Tally
    plain: Tally
    averaged_ms: float
    plain_ms: float

    @property
    def cost(self) -> float:
        """Time of the average over that of the network alone."""
        return self.averaged_ms / self.plain_ms


def open_run(run: Path, data: Path) -> tuple[TrainedNetwork, Dataset]:
    """Opens a run's best checkpoint, and a data set by its label space.

    Args:
        run: the training folder.
        data: a data set that has the run's label space.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        DataError: the data set is not usable, or its classes are others.
    """
    trained = load_trained(run / "best.safetensors")
    source = open_dataset(data, trained.label_space)
    require_classes(source, trained)
    return trained, source


def evaluate_run(trained: TrainedNetwork, source: Dataset, split: str = "val") -> Tally:
    """Counts what a trained network says of a split, in float32 PyTorch, at the network's size.

    Args:
        trained: the network, and
        source: the data set, as `open_run` gives them.
        split: which part of it.

    Raises:
        DataError: no such split, or a frame is not readable.
    """
    loader, device = _loader(trained, source, split), _device()
    network = trained.network.to(device)
    tally = Tally(len(trained.classes))
    for _, truth, predicted in track(predict_batches(network, loader, device), "evaluating", len(loader)):
        tally.add(truth, predicted)
    return tally


def evaluate_views(trained: TrainedNetwork, source: Dataset, split: str, views: Views) -> ViewsResult:
    """Counts as `evaluate_run` does, and for the average over views beside it, both timed.

    Raises:
        DataError: no such split, or a frame is not readable.
    """
    loader, device = _loader(trained, source, split), _device()
    network = trained.network.to(device)
    normalise = Normalise().to(device)
    contestants = [network, AveragedViews(network, views, trained.config.network.stride_px)]
    plain, averaged = tallies = [Tally(len(trained.classes)) for _ in contestants]
    times_ms: list[list[float]] = [[] for _ in contestants]
    for image_nhwc, truth_nhw in track(batches(loader), "evaluating", len(loader)):
        image_nchw = normalise(image_nhwc.to(device))
        for contestant, tally, times in zip(contestants, tallies, times_ms, strict=True):
            predicted_nhw, elapsed_ms = _timed_labels(contestant, image_nchw)
            tally.add(truth_nhw.numpy(), predicted_nhw)
            times.append(elapsed_ms / len(image_nhwc))
    plain_ms, averaged_ms = (float(np.mean(times[1:] or times)) for times in times_ms)
    return ViewsResult(averaged=averaged, plain=plain, averaged_ms=averaged_ms, plain_ms=plain_ms)


def frame_labels(trained: TrainedNetwork) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """One frame at a time: uint8 RGB [H,W,3] at the network's size -> predicted uint8 [H,W], 255 for no answer."""
    device = _device()
    network, normalise = trained.network.to(device), Normalise().to(device)

    def predict(image_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.no_grad():
            logits = network(normalise(torch.from_numpy(image_hwc)[None].to(device)))
            labels: NDArray[np.uint8] = labels_from_logits(logits)[0].cpu().numpy()
        return labels

    return predict


def _loader(trained: TrainedNetwork, source: Dataset, split: str) -> WatchedLoader[Item]:
    if not source.splits.get(split):
        raise DataError(
            f"{source.path}: has no frames in split {split!r}, only in {', '.join(source.splits)}; give --split"
        )
    return plain_loader(source, split, trained.config.height_px, trained.config.width_px)


def require_classes(source: Dataset, trained: TrainedNetwork) -> None:
    """Refuses data whose labels mean something else; two data sets of one's own may both call their classes "own".

    Raises:
        DataError: its classes are not the run's, in the same order.
    """
    if source.label_space.classes != trained.classes:
        raise DataError(
            f"{source.path}: expected the run's classes {', '.join(trained.classes)}, got "
            f"{', '.join(source.label_space.classes)}; name data with the classes.toml that the run was trained on"
        )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _timed_labels(network: nn.Module, image_nchw: Tensor) -> tuple[NDArray[np.uint8], float]:
    """Labels uint8 [N,H,W] and the milliseconds until they were on the CPU, which waits for a GPU."""
    started = time.perf_counter()
    with torch.no_grad():
        labels: NDArray[np.uint8] = labels_from_logits(network(image_nchw).float()).cpu().numpy()
    return labels, (time.perf_counter() - started) * 1e3
