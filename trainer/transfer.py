"""Starting a network from another run's weights, and keeping its encoder still for the first epochs."""

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from runtime.errors import CheckpointError, UsageError
from trainer.checkpoint import load_checkpoint


def init_from(network: nn.Module, path: Path) -> dict[str, Any]:
    """Takes what fits (same name, same shape) out of another run; the rest stays as it was freshly made.

    Args:
        network: freshly initialised.
        path: a run's folder, whose best checkpoint is taken, or a checkpoint.

    Returns:
        For the run's record: source (names of folder and file, no path of this machine), sha256 of the file, taken
        (count of tensors), anew (names of the network's tensors that did not come from there), unused (names that the
        checkpoint has and the network has not, or not in this shape).

    Raises:
        CheckpointError: no usable checkpoint there, or not one tensor of it fits.
    """
    if not path.exists():
        raise CheckpointError(f"--init {path}: expected a run's folder or a checkpoint, found nothing; check the path")
    file = path / "best.safetensors" if path.is_dir() else path
    weights = load_checkpoint(file).validated()
    own = network.state_dict()
    taken = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    # a counter of batches fits anything; a start is made of weights
    if not any(value.is_floating_point() for value in taken.values()):
        first = next(iter(own))
        raise CheckpointError(
            f"{file}: expected weights of a similar network, such as {first} of shape {tuple(own[first].shape)}, got "
            f"{len(weights)} tensors of which none fits; choose the same --network, or leave out --init"
        )
    network.load_state_dict(taken, strict=False)
    return {
        "source": f"{file.resolve().parent.name}/{file.name}",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "taken": len(taken),
        "anew": [name for name in own if name not in taken],
        "unused": [name for name in weights if name not in taken],
    }


def set_encoder_frozen(network: nn.Module, *, frozen: bool) -> None:
    """Stops or lets go the encoder's training; to be called after each `network.train()`, which undoes half of it.

    Frozen, its parameters get no gradient (and so neither steps nor decay from any optimiser), and its batch norms
    neither use nor collect the statistics of batches.

    Args:
        network: not wrapped for several processes.
        frozen: for the epoch to come.

    Raises:
        UsageError: the network has no encoder.
    """
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise UsageError(
            f"--freeze-encoder needs a network with an encoder, got {type(network).__name__}; leave it out"
        )
    for parameter in encoder.parameters():
        parameter.requires_grad_(not frozen)
        if frozen:
            parameter.grad = None  # one left from an epoch before would be applied by the next step
    encoder.train(network.training and not frozen)
