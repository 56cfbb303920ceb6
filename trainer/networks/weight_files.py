"""Reads files of weights that others made, without running any code of theirs: safetensors and torch's own format."""

import hashlib
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from runtime.errors import CheckpointError

_WRAPPERS = ("state_dict", "model")  # where training scripts put the weights among other things
# what torch's restricted unpickler gives for damaged bytes, as found by damaging some
_DAMAGED = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    OSError,
)
_PARALLEL = "module."  # what DataParallel puts before each name


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file by name, and the SHA-256 of its bytes.

    Args:
        path: .safetensors, or what `torch.save` wrote (.pth, .pt); a dict of tensors, or one under "state_dict" or
            "model".

    Raises:
        CheckpointError: no such file, not readable without running its code, no tensors in it, or a number that is not
            finite.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a file of weights (.pth or .safetensors), found none; check the path")
    content: Any
    try:
        data = path.read_bytes()
        content = load_safetensors(data) if path.suffix == ".safetensors" else _load_torch(path)
    except (SafetensorError, *_DAMAGED) as error:
        reason = str(error).strip().split("\n", 1)[0].split(". ", 1)[0]  # torch goes on: advice to run the file's code
        raise CheckpointError(
            f"{path}: expected a file of weights that opens without running code, got {type(error).__name__}: "
            f"{reason}; save the state dict alone, best as .safetensors"
        ) from error
    state = _state_dict(content, path)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{path}: expected finite weights, got a number that is not finite in {name}; use another file"
            )
    return state, hashlib.sha256(data).hexdigest()


def _load_torch(path: Path) -> Any:  # noqa: ANN401  # whatever the file holds; the caller looks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pickle protocols; what can't be read is an error, what can is no matter
        return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:  # noqa: ANN401  # as above
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"{path}: expected a state dict (names and tensors), got {type(content).__name__}; "
            "save network.state_dict()"
        )
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if all(name.startswith(_PARALLEL) for name in state):
        state = {name.removeprefix(_PARALLEL): value for name, value in state.items()}
    return state
