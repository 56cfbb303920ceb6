"""Frames to batches in worker processes; knows the data set, not the network.

The order of samples is drawn from (seed, epoch) and the augmentation of each from (seed, epoch, image), never from a
worker's state: any number of workers and any point of resumption gives the same batches.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trainer.config import TrainConfig
from trainer.data.augment import augment, fit
from trainer.data.dataset import Dataset as FrameSource

WORKER_TIMEOUT_S = 120  # a stopped worker would hang the run for ever at torch's default of 0
Batch = tuple[Tensor, Tensor]  # uint8 RGB [N,H,W,3], uint8 labels [N,H,W]


@dataclass
class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, image) in an order drawn from (seed, epoch), starting `skip` images in.

    Attributes:
        count: images of the split that are trained on.
        seed: of the run.
        epoch: 1, 2, ...; set before each pass.
        skip: images of this epoch that an interrupted run has already seen.
    """

    count: int
    seed: int
    epoch: int = 1
    skip: int = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        return iter([(self.epoch, int(index)) for index in order[self.skip :]])

    def __len__(self) -> int:
        return self.count - self.skip


class TrainFrames(Dataset[Batch]):
    """Augmented training frames, asked for by (epoch, image)."""

    def __init__(self, source: FrameSource, config: TrainConfig) -> None:
        self.source = source
        self.config = config

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        config = self.config
        frame = augment(
            self.source.read("train", index),
            config.augmentation,
            config.height_px,
            config.width_px,
            seed=config.seed,
            epoch=epoch,
            index=index,
        )
        return torch.from_numpy(frame.image_hwc), torch.from_numpy(frame.labels_hw)


class PlainFrames(Dataset[Batch]):
    """Frames of a split, resized to the network's size and not augmented."""

    def __init__(self, source: FrameSource, split: str, height_px: int, width_px: int, share: tuple[int, int]) -> None:
        part, parts = share  # this process evaluates every parts-th frame: none twice, none left out
        self.indices = range(part, len(source.splits[split]), parts)
        self.source, self.split = source, split
        self.height_px, self.width_px = height_px, width_px

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Batch:
        frame = fit(self.source.read(self.split, self.indices[position]), self.height_px, self.width_px)
        return torch.from_numpy(frame.image_hwc), torch.from_numpy(frame.labels_hw)


def train_loader(source: FrameSource, config: TrainConfig, workers: int) -> tuple[DataLoader[Batch], EpochSampler]:
    """The training batches and the sampler that says which epoch comes next."""
    sampler = training_sampler(source, config)
    return _loader(TrainFrames(source, config), config.batch_size, workers, sampler), sampler


def training_sampler(source: FrameSource, config: TrainConfig) -> EpochSampler:
    """The order of the images that are trained on, at epoch 1 until told otherwise."""
    count = len(source.splits["train"])
    return EpochSampler(count=count if config.limit is None else min(count, config.limit), seed=config.seed)


def plain_loader(
    source: FrameSource,
    split: str,
    height_px: int,
    width_px: int,
    *,
    batch_size: int = 8,
    workers: int = 0,
    share: tuple[int, int] = (0, 1),
) -> DataLoader[Batch]:
    """Batches of a split in its own order; `share` is (this process, processes)."""
    return _loader(PlainFrames(source, split, height_px, width_px, share), batch_size, workers, None)


def _loader(frames: Dataset[Batch], batch_size: int, workers: int, sampler: EpochSampler | None) -> DataLoader[Batch]:
    return DataLoader(
        frames,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        timeout=WORKER_TIMEOUT_S if workers else 0,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
    )


def _prepare_worker(worker: int) -> None:  # noqa: ARG001 (torch passes it)
    # Ctrl-C reaches every process of the terminal: the main one saves and ends, its workers must serve until then
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
