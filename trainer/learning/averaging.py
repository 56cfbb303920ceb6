"""The moving average of a network's weights, and what of a network is not a weight: its running statistics."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]


def average_of(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """A moving average of weights and running statistics, equal to the network until its second step."""
    if decay is None:
        return None

    def follow(averaged: Tensors, current: Tensors, on_device: Tensor | int) -> None:
        now = decay_after(int(average.n_averaged), decay)  # the counter on the CPU: no step waits for the device
        get_ema_multi_avg_fn(now)(averaged, current, on_device)

    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    return average.requires_grad_(requires_grad=False)


def decay_after(steps: int, decay: float) -> float:
    """The decay of the step after so many: min(decay, (1 + steps) / (10 + steps)).

    TensorFlow's `ExponentialMovingAverage` with `num_updates`: at the start the average follows the network closely, or
    it would hold for hundreds of steps the random weights that it began from.
    """
    return min(decay, (1 + steps) / (10 + steps))


def statistics_of(network: nn.Module) -> list[Tensor]:
    """The running means and variances of a network's norms, themselves and not copies."""
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


def copy_statistics(statistics: Sequence[Tensor]) -> Tensor | None:
    """All of them in one vector; None where there are none."""
    return torch.cat([each.detach().flatten() for each in statistics]) if statistics else None


def set_statistics(statistics: Sequence[Tensor], values: Tensor | None) -> None:
    """Puts back what `copy_statistics` took: a forward with one bad number has spoilt them for good."""
    if values is None:
        return
    parts = values.split([each.numel() for each in statistics])
    with torch.no_grad():
        for each, part in zip(statistics, parts, strict=True):
            each.copy_(part.view_as(each))


def share_statistics(accelerator: Accelerator, network: nn.Module) -> None:
    """Gives every process those of the first, which are the ones that are saved: each saw other images."""
    if accelerator.num_processes == 1:
        return
    statistics = statistics_of(network)
    values = copy_statistics(statistics)
    set_statistics(statistics, None if values is None else broadcast(values))
