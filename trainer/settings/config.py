"""What a training run is told, as one frozen value that is written into the run and into every checkpoint."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from runtime.errors import CheckpointError, UsageError
from trainer.data.augment import Augmentation
from trainer.learning.losses import LossConfig
from trainer.learning.optimise import OptimiserConfig
from trainer.learning.schedule import ScheduleConfig
from trainer.networks.catalogue import NetworkConfig, network_from_dict, network_to_dict
from trainer.networks.unet import UNetConfig, require_size

Precision = Literal["auto", "no", "fp16", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A run's settings; the defaults are the recipe "seed".

    Data set and paths stand apart: they differ from machine to machine, and a checkpoint's record tells what it was
    trained on.

    Attributes:
        height_px: network's input height, a multiple of the network's stride.
        width_px: network's input width, likewise.
        epochs: passes over the training split.
        batch_size: images per process that go through the network at once.
        accumulate: batches whose gradients are averaged before each step of the optimiser.
        precision: of the network's arithmetic; "auto" takes the fastest the device has natively.
        seed: of the weights, the order of samples and the augmentation.
        limit: train on the first so many images only; None for all. Validation is never cut.
        ema: decay per step of the moving average of the weights that is validated and exported, 0 to below 1 (Polyak,
            Juditsky 1992), smaller in the first steps (`decay_after`); None for the weights themselves.
        freeze_encoder_epochs: epochs at the start in which the encoder keeps its weights.
        network: which, and its shape.
        loss: what is minimised.
        optimiser: how weights follow gradients.
        schedule: how the learning rate moves over the run.
        augmentation: what is done to a training image.
    """

    height_px: int = 256
    width_px: int = 256
    epochs: int = 15
    batch_size: int = 8
    accumulate: int = 1
    precision: Precision = "auto"
    seed: int = 0
    limit: int | None = None
    ema: float | None = None
    freeze_encoder_epochs: int = 0
    network: NetworkConfig = field(default_factory=UNetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        require_size(self.height_px, self.width_px, self.network.stride_px)
        if self.precision not in get_args(Precision):
            raise UsageError(f"--precision must be one of {', '.join(get_args(Precision))}, got {self.precision!r}")
        positive = {
            "--epochs": self.epochs,
            "--batch-size": self.batch_size,
            "--accumulate": self.accumulate,
            "--limit": self.limit,
        }
        for flag, value in positive.items():
            if value is not None and value < 1:
                raise UsageError(f"{flag} must be 1 or more, got {value}; leave it out for the default")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed must be from 0 to 4294967295, got {self.seed}; the default is 0")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise UsageError(f"--ema must be from 0 to below 1, got {self.ema:g}; try 0.999, or leave it out")
        if self.freeze_encoder_epochs < 0:
            raise UsageError(f"--freeze-encoder must be 0 or more epochs, got {self.freeze_encoder_epochs}")
        if self.freeze_encoder_epochs > self.epochs:
            raise UsageError(
                f"--freeze-encoder {self.freeze_encoder_epochs} is more than --epochs {self.epochs}; give at most that"
            )

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, equal to what JSON gives back of them: lists where the settings have tuples."""
        values: dict[str, Any] = json.loads(
            json.dumps({**dataclasses.asdict(self), "network": network_to_dict(self.network)})
        )
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str) -> "TrainConfig":
        """Rebuilds what `to_dict` wrote.

        Raises:
            CheckpointError: a key is missing, unknown or unusable.
        """
        try:
            rest = dict(values)
            return cls(
                network=network_from_dict(rest.pop("network")),
                loss=LossConfig(**rest.pop("loss")),
                optimiser=OptimiserConfig(**rest.pop("optimiser")),
                schedule=ScheduleConfig(**rest.pop("schedule")),
                augmentation=Augmentation(**rest.pop("augmentation")),
                **rest,
            )
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{where}: expected the settings of a run of this segtool, got something else ({error}); "
                "train again, or use the segtool that wrote it"
            ) from error
