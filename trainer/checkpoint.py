"""Checkpoints: one safetensors file each, written whole or not at all, that proves its own bytes. No pickle.

The file's metadata holds the record (settings, epoch, scores) and a SHA-256 over record and tensors, because
safetensors has no checksum of its own. The JSON beside it is a copy for people and scripts; nothing reads it back.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from runtime.errors import CheckpointError, DivergedError
from runtime.files import write_whole
from trainer.json_file import write_json

SCHEMA_VERSION = 2
RECORD_KEY = "segtool.checkpoint"
DIGEST_KEY = "content_sha256"
MODEL, OPTIMIZER, AVERAGE = "model.", "optimizer.", "ema."
AVERAGED_MODULE = "module."  # what torch's AveragedModel calls the network in it


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A training state.

    Attributes:
        tensors: weights under "model."; in `last` and the past epochs also the optimiser's state under "optimizer."
            and, where the run averages its weights, the average under "ema."; in `best`, "model." is what was scored.
        record: JSON object: schema_version, config, data, epoch, images_seen, best_mean_iou, history ...
    """

    tensors: dict[str, Tensor]
    record: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under a prefix, with the prefix taken off."""
        return {name.removeprefix(prefix): tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}

    def validated(self) -> dict[str, Tensor]:
        """The weights that validation saw: the moving average where there is one."""
        return self.part(AVERAGE + AVERAGED_MODULE) or self.part(MODEL)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes `path` (.safetensors) and the JSON beside it; the old checkpoint stays until the new one is proven.

    Raises:
        DivergedError: a number is not finite; nothing is written.
        StorageError: disk full, no permission.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"{path}: tensor {name} holds a number that is not finite, so it is not saved; "
                "go on from the last good checkpoint with a smaller --lr"
            )
    record = {**checkpoint.record, "schema_version": SCHEMA_VERSION}
    record[DIGEST_KEY] = _digest(tensors, record)
    text = json.dumps(record, allow_nan=False)
    data = safetensors_bytes(tensors, metadata={RECORD_KEY: text})
    write_whole(path, data)
    write_json(path.with_suffix(".json"), record)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint and proves its bytes.

    Raises:
        CheckpointError: no such file, not a checkpoint of segtool, damaged, or of a newer schema.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a checkpoint, found none; {_advice(path.parent)}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        record = json.loads(metadata[RECORD_KEY])
        version, expected = record["schema_version"], record.pop(DIGEST_KEY)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint written by segtool, got an unreadable file ({error}); "
            "use the other checkpoint of the run, or train again"
        ) from error
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path}: has checkpoint schema {version}, this segtool reads {SCHEMA_VERSION}; "
            "use the segtool that wrote it"
        )
    if _digest(tensors, record) != expected:
        raise CheckpointError(
            f"{path}: its content does not match its SHA-256, the file is damaged; use the other checkpoint of the run"
        )
    return Checkpoint(tensors=tensors, record=record)


def _advice(run: Path) -> str:
    if run.is_file():
        return f"{run} is a file, give the run's folder: {run.parent}"
    if (run / "last.safetensors").is_file():
        return f"no epoch is completed yet, go on with: segtool train DATA --out {run} --resume"
    return f"{run} is not the folder of a run; make one with: segtool train DATA --out RUN"


def load_weights(network: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Puts a checkpoint's weights into a network.

    Raises:
        CheckpointError: they do not fit.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{where}: its weights do not fit the network of its own settings ({error}); train again"
        ) from error


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state tensors as "<parameter number>.<name>"."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, values in state.items() for name, tensor in values.items()}


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Puts back what `pack_optimizer` took; learning rate and the like stay as the optimiser has them."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _digest(tensors: dict[str, Tensor], record: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
