"""Frames to batches in worker processes; knows the data set, not the network.

The order of samples is drawn from (seed, epoch) and the augmentation of each from (seed, epoch, image), never from a
worker's state: any number of workers and any point of resumption gives the same batches.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from runtime.errors import SegtoolError
from trainer.config import TrainConfig
from trainer.data.augment import augment, fit
from trainer.data.dataset import Dataset as FrameSource
from trainer.data.dataset import Frame

WORKER_TIMEOUT_S = 120  # a stopped worker would hang the run for ever at torch's default of 0
Batch = tuple[Tensor, Tensor]  # uint8 RGB [N,H,W,3], uint8 labels [N,H,W]
Item = Batch | SegtoolError  # what a worker hands over: a frame or batch, or why there is none


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


class Frames(Dataset[Item]):
    """Frames as tensors, read by key.

    Args:
        read: key -> frame at the network's size; must be picklable.
        count: frames there are.
    """

    def __init__(self, read: Callable[[Any], Frame], count: int) -> None:
        self.read = read
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: object) -> Item:
        try:
            frame = self.read(key)
        except SegtoolError as error:
            return error  # raised from a worker, it would arrive wrapped in the text of that worker's traceback
        return torch.from_numpy(frame.image_hwc), torch.from_numpy(frame.labels_hw)


def read_augmented(source: FrameSource, config: TrainConfig, key: tuple[int, int]) -> Frame:
    """The training frame of (epoch, image), augmented."""
    epoch, index = key
    return augment(
        source.read("train", index),
        config.augmentation,
        config.height_px,
        config.width_px,
        seed=config.seed,
        epoch=epoch,
        index=index,
    )


def read_plain(
    source: FrameSource, split: str, size_px: tuple[int, int], indices: Sequence[int], position: int
) -> Frame:
    """A frame of a split at (height, width), not augmented."""
    return fit(source.read(split, indices[position]), *size_px)


def batches(loader: DataLoader[Item]) -> Iterator[Batch]:
    """The batches of a loader.

    Raises:
        SegtoolError: what a frame of the next batch raised where it was read.
    """
    for batch in loader:
        if isinstance(batch, SegtoolError):
            raise batch
        yield batch


def train_loader(source: FrameSource, config: TrainConfig, workers: int) -> tuple[DataLoader[Item], EpochSampler]:
    """The training batches and the sampler that says which epoch comes next."""
    sampler = training_sampler(source, config)
    frames = Frames(partial(read_augmented, source, config), sampler.count)
    return _loader(frames, config.batch_size, workers, sampler), sampler


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
) -> DataLoader[Item]:
    """Batches of a split in its own order.

    Args:
        source: the data set.
        split: which part of it.
        height_px: of the network's input.
        width_px: of the network's input.
        batch_size: frames a batch.
        workers: processes that read.
        share: (this process, processes): every so-manyth frame, so that none is scored twice and none left out.
    """
    indices = range(share[0], len(source.splits[split]), share[1])
    frames = Frames(partial(read_plain, source, split, (height_px, width_px), indices), len(indices))
    return _loader(frames, batch_size, workers, None)


def _loader(frames: Frames, batch_size: int, workers: int, sampler: EpochSampler | None) -> DataLoader[Item]:
    return DataLoader(
        frames,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        persistent_workers=workers > 0,
        timeout=WORKER_TIMEOUT_S if workers else 0,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
    )


def _collate(items: list[Item]) -> Item:
    for item in items:
        if isinstance(item, SegtoolError):
            return item
    batch: Batch = default_collate(items)
    return batch


def stop_workers(loader: DataLoader[Item]) -> None:
    """Ends the worker processes of a loader now, while they can still be told to.

    Left to the interpreter's exit, a worker is sometimes killed first and reported as a failure. PyTorch has no public
    way to end persistent workers; a loader without them is left as it is.
    """
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()


def _prepare_worker(worker: int) -> None:  # noqa: ARG001 (torch passes it)
    # Ctrl-C and a supervisor's SIGTERM reach the whole process group: the main process saves and ends, and its workers
    # must serve until then, so they leave the group. SIGTERM is also how the main process ends them: it must work, and
    # not run the handler that the fork copied.
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
