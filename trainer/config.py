"""What a training run is told, as one frozen value that is written into the run and into every checkpoint."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from runtime.errors import CheckpointError, UsageError
from trainer.data.augment import Augmentation
from trainer.networks.unet import UNetConfig, require_size

Precision = Literal["auto", "no", "fp16", "bf16"]
Schedule = Literal["cooldown", "constant"]
COOLDOWN_SHARE = 0.4  # of the run


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A run's settings; paths stand apart, because they differ from machine to machine.

    Attributes:
        label_space: which classes: "categories" (7), "cityscapes" (19) or "names".
        height_px: network's input height, a multiple of the network's stride.
        width_px: network's input width, likewise.
        epochs: passes over the training split.
        batch_size: images per step and process.
        learning_rate: Adam's, at the start.
        schedule: "cooldown" keeps the learning rate for 60 % of the run and then lets it fall to 0 linearly (Hägele et
            al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations"), "constant" keeps it.
        precision: of the network's arithmetic; "auto" takes the fastest the device has natively.
        seed: of the weights, the order of samples and the augmentation.
        limit: train on the first so many images only; None for all. Validation is never cut.
        network: width, depth and kind of enlargement.
        augmentation: what is done to a training image.
    """

    label_space: str = "categories"
    height_px: int = 256
    width_px: int = 256
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 1e-3
    schedule: Schedule = "cooldown"
    precision: Precision = "auto"
    seed: int = 0
    limit: int | None = None
    network: UNetConfig = field(default_factory=UNetConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        require_size(self.height_px, self.width_px, self.network.stride_px)
        if self.precision not in get_args(Precision):
            raise UsageError(f"--precision must be one of {', '.join(get_args(Precision))}, got {self.precision!r}")
        if self.schedule not in get_args(Schedule):
            raise UsageError(f"--schedule must be one of {', '.join(get_args(Schedule))}, got {self.schedule!r}")
        positive = {"--epochs": self.epochs, "--batch-size": self.batch_size, "--limit": self.limit}
        for flag, value in positive.items():
            if value is not None and value < 1:
                raise UsageError(f"{flag} must be 1 or more, got {value}; leave it out for the default")
        if not 0 < self.learning_rate < float("inf"):
            raise UsageError(f"--lr must be above 0 and finite, got {self.learning_rate:g}; the default is 1e-3")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed must be from 0 to 4294967295, got {self.seed}; the default is 0")

    def learning_rate_at(self, share_done: float) -> float:
        """The learning rate when `share_done` (0..1) of the run's images have been trained on."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * min(1.0, (1.0 - share_done) / COOLDOWN_SHARE)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str) -> "TrainConfig":
        """Rebuilds what `to_dict` wrote.

        Raises:
            CheckpointError: a key is missing, unknown or unusable.
        """
        try:
            rest = dict(values)
            network = UNetConfig(**rest.pop("network"))
            augmentation = Augmentation(**rest.pop("augmentation"))
            return cls(network=network, augmentation=augmentation, **rest)
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{where}: expected the settings of a run of this segtool, got something else ({error}); "
                "train again, or use the segtool that wrote it"
            ) from error
