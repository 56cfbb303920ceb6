"""The oldest check of a network and a recipe: learn a few images by heart."""

import math
from dataclasses import replace

from runtime.errors import UsageError
from trainer.data.augment import Augmentation
from trainer.data.dataset import Dataset
from trainer.settings.config import TrainConfig

STEPS_PER_EPOCH = 16  # the images are repeated so often that the usual number of epochs suffices
LEARNT = 0.9  # mean IoU; thin things of a frame or two keep the rest


def few_images(config: TrainConfig, source: Dataset, count: int) -> tuple[TrainConfig, Dataset]:
    """Settings and data for training and validating on the first `count` training images, as they are.

    An epoch repeats them to at least 16 steps.

    Raises:
        UsageError: there are not so many, or the settings have a limit of their own.
    """
    if config.limit is not None:
        raise UsageError(f"--overfit {count} says how many images, got --limit {config.limit} too; leave one out")
    names = source.frames("train")
    if count > len(names):
        raise UsageError(f"--overfit {count}: {source.path} has {len(names)} training frames; give at most that")
    images = STEPS_PER_EPOCH * config.batch_size * config.accumulate
    splits = {"train": names[:count] * math.ceil(images / count), "val": names[:count]}
    plain = Augmentation(crop=0.0, flip=0.0)
    return replace(config, augmentation=plain), replace(source, splits=splits)
