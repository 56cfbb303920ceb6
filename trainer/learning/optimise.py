"""The optimisers: which, with which numbers, and which parameters decay."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from runtime.errors import UsageError

OptimiserKind = Literal["adam", "adamw", "sgd"]


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How weights follow gradients.

    Attributes:
        kind: "adam" (Kingma, Ba 2015), "adamw" (Loshchilov, Hutter 2019) or "sgd" with momentum 0.9.
        learning_rate: the highest of the run.
        weight_decay: of weight tensors; norms and biases never decay. Must be 0 for "adam", which would mix it into the
            moments; that is what "adamw" mends.
        clip_norm: gradients are scaled down to this norm (over all parameters) where theirs is larger; None for never.
        encoder_rate: learning rate of the encoder over that of the rest, above 0: below 1 keeps more of what a
            pretrained one knows.
    """

    kind: OptimiserKind = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float | None = None
    encoder_rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(OptimiserKind):
            raise UsageError(f"--optimiser must be one of {', '.join(get_args(OptimiserKind))}, got {self.kind!r}")
        if not 0 < self.learning_rate < float("inf"):
            raise UsageError(f"--lr must be above 0 and finite, got {self.learning_rate:g}; the default is 1e-3")
        if not 0 <= self.weight_decay < float("inf"):
            raise UsageError(f"--weight-decay must be 0 or more and finite, got {self.weight_decay:g}; try 1e-2")
        if self.kind == "adam" and self.weight_decay:
            raise UsageError(
                f"--weight-decay must be 0 with --optimiser adam, got {self.weight_decay:g}; give --optimiser adamw"
            )
        if self.clip_norm is not None and not 0 < self.clip_norm < float("inf"):
            raise UsageError(f"--clip-norm must be above 0 and finite, got {self.clip_norm:g}; try 1, or leave it out")
        if not 0 < self.encoder_rate < float("inf"):
            raise UsageError(f"--encoder-rate must be above 0 and finite, got {self.encoder_rate:g}; try 0.1, or 1")


def build_optimiser(config: OptimiserConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over all parameters, in up to four groups: encoder or not, decaying or not.

    Each group carries a "scale", what its learning rate is multiplied by. Clipping to `config.clip_norm` is the loop's.
    """
    groups = _groups(config, network)
    if config.kind == "adam":
        return torch.optim.Adam(groups, lr=config.learning_rate)
    if config.kind == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9)


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Gives every group the learning rate times its own scale."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate * group["scale"]


def _groups(config: OptimiserConfig, network: nn.Module) -> list[dict[str, object]]:
    """Parameters by (in the encoder or not) and (decays or not); empty groups are left out."""
    encoder = getattr(network, "encoder", None)
    in_encoder = {id(each) for each in encoder.parameters()} if isinstance(encoder, nn.Module) else set()
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        decays = parameter.ndim > 1  # vectors are norms' scales and biases
        groups.setdefault((id(parameter) in in_encoder, decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "scale": config.encoder_rate if encoder_group else 1.0,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (encoder_group, decays), parameters in groups.items()
    ]
