"""Frames to batches in worker processes; knows the data set, not the network.

The order of samples is drawn from (seed, epoch) and the augmentation of each from (seed, epoch, image), never from a
worker's state: any number of workers and any point of resumption gives the same batches.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler, default_collate

from runtime.errors import SegtoolError
from trainer.data.augment import augment, fit
from trainer.data.dataset import Frame
from trainer.settings.config import TrainConfig
from trainer.workers import NOTHING, Watched, WatchedLoader, prepare_worker

WORKER_TIMEOUT_S = 120.0  # a stopped worker would hang the run for ever at torch's default of 0
Key = tuple[int, int]  # epoch (0 for frames that are not augmented), number of the frame in its split
Batch = tuple[Tensor, Tensor]  # uint8 RGB [N,H,W,3], uint8 labels [N,H,W]
Item = Batch | SegtoolError  # what a worker hands over: a frame or batch, or why there is none


class FrameSource(Protocol):
    """A `trainer.data.dataset.Dataset`, or one behind a `trainer.data.cache`; picklable."""

    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The frames' names by split."""

    def read(self, split: str, index: int) -> Frame:
        """One frame at its own size; DataError where it can't be had."""


@dataclass
class EpochSampler(Sampler[Key]):
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

    def whole_epoch(self) -> list[Key]:
        """All of them, those that are skipped too."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        return [(self.epoch, int(index)) for index in order]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.whole_epoch()[self.skip :])

    def __len__(self) -> int:
        return self.count - self.skip


@dataclass
class ShareOfBatches(Sampler[list[Key]]):
    """The batches of one process of several that take their images in turns from the same order.

    Each image is trained on once an epoch. Where the last images do not suffice for a batch in each process, a process
    gets fewer than another; one that would get none gets an image twice over, which `shares_of_step` weighs with 0.

    Attributes:
        order: of all images, of all processes.
        batch_size: images a process gets at once.
        rank: which process, 0 ..
        processes: how many there are.
    """

    order: EpochSampler
    batch_size: int
    rank: int = 0
    processes: int = 1

    def __iter__(self) -> Iterator[list[Key]]:
        keys, together = list(self.order), self.batch_size * self.processes
        for start in range(0, len(keys), together):
            turn = keys[start : start + together]
            yield turn[self.rank :: self.processes] or turn[:1]

    def __len__(self) -> int:
        return -(-len(self.order) // (self.batch_size * self.processes))


def shares_of_step(images: int, batch_size: int, rank: int, processes: int) -> list[float]:
    """What each batch of one process counts in a step over so many images of all processes; over all of them, 1."""
    together = batch_size * processes
    counts = [min(together, images - start) for start in range(0, images, together)]
    return [len(range(rank, count, processes)) / images for count in counts]


class Frames(Watched[Item]):
    """The frames of a split as tensors, read by key.

    Args:
        read: key -> frame at the network's size; must be picklable.
        names: of the split's frames, by number.
    """

    def __init__(self, read: Callable[[Key], Frame], names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.read = read

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: Key) -> Item:
        self.note(key[1])
        try:
            frame = self.read(key)
        except SegtoolError as error:
            return error  # raised from a worker, it would arrive wrapped in the text of that worker's traceback
        finally:
            self.note(NOTHING)
        return torch.from_numpy(frame.image_hwc), torch.from_numpy(frame.labels_hw)


def read_augmented(source: FrameSource, config: TrainConfig, key: Key) -> Frame:
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


def read_plain(source: FrameSource, split: str, size_px: tuple[int, int], key: Key) -> Frame:
    """A frame of a split at (height, width), not augmented."""
    return fit(source.read(split, key[1]), *size_px)


def batches(loader: WatchedLoader[Item]) -> Iterator[Batch]:
    """The batches of a loader.

    Raises:
        SegtoolError: what a frame of the next batch raised where it was read.
    """
    for batch in loader.watched_batches():
        if isinstance(batch, SegtoolError):
            raise batch
        yield batch


def train_loader(
    source: FrameSource,
    config: TrainConfig,
    workers: int,
    *,
    share: tuple[int, int] = (0, 1),
    timeout_s: float = WORKER_TIMEOUT_S,
) -> tuple[WatchedLoader[Item], EpochSampler]:
    """The training batches and the sampler that says which epoch comes next.

    Args:
        source: the data set.
        config: of the run.
        workers: processes that read.
        share: (this process, processes).
        timeout_s: without a batch, after which a worker counts as hung.
    """
    order = training_sampler(source, config)
    frames = Frames(partial(read_augmented, source, config), source.splits["train"])
    return _loader(frames, ShareOfBatches(order, config.batch_size, *share), workers, timeout_s), order


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
    timeout_s: float = WORKER_TIMEOUT_S,
) -> WatchedLoader[Item]:
    """Batches of a split in its own order.

    Args:
        source: the data set.
        split: which part of it.
        height_px: of the network's input.
        width_px: of the network's input.
        batch_size: frames a batch.
        workers: processes that read.
        share: (this process, processes): every so-manyth frame, so that none is scored twice and none left out.
        timeout_s: without a batch, after which a worker counts as hung.
    """
    keys = [(0, index) for index in range(share[0], len(source.splits[split]), share[1])]
    groups = [keys[start : start + batch_size] for start in range(0, len(keys), batch_size)]
    frames = Frames(partial(read_plain, source, split, (height_px, width_px)), source.splits[split])
    return _loader(frames, groups, workers, timeout_s)


def _loader(frames: Frames, keys: Iterable[list[Key]], workers: int, timeout_s: float) -> WatchedLoader[Item]:
    frames.watch(workers)
    return WatchedLoader(
        frames,
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_collate,
        persistent_workers=workers > 0,
        timeout=timeout_s if workers else 0,
        worker_init_fn=prepare_worker,
        pin_memory=torch.cuda.is_available(),
    )


def _collate(items: list[Item]) -> Item:
    for item in items:
        if isinstance(item, SegtoolError):
            return item
    batch: Batch = default_collate(items)
    return batch
