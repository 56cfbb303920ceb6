import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from runtime.errors import CheckpointError
from trainer.networks.weight_files import read_weights


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (self.trap,)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_read_weights_gives_the_tensors_and_the_digest_of_the_file(tmp_path: Path, name: str) -> None:
    path, state = tmp_path / name, {"a.weight": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}
    (save_file if name.endswith("safetensors") else torch.save)(state, path)
    got, digest = read_weights(path)
    assert {key: value.tolist() for key, value in got.items()} == {"a.weight": [[0, 1, 2], [3, 4, 5]], "n": 3}
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_read_weights_finds_them_inside_a_training_scripts_checkpoint(tmp_path: Path, wrapper: str) -> None:
    torch.save({wrapper: {"module.a": torch.ones(1)}, "epoch": 3}, tmp_path / "w.pth")
    assert list(read_weights(tmp_path / "w.pth")[0]) == ["a"]


@pytest.mark.parametrize("zipped", [True, False])
def test_read_weights_hostile_file_refused_without_running_its_code(tmp_path: Path, zipped: bool) -> None:
    path, trap = tmp_path / "w.pth", tmp_path / "trap"
    torch.save({"a": torch.ones(1), "b": Hostile(trap)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"w\.pth: expected .* without running code, got UnpicklingError"):
        read_weights(path)
    assert not trap.exists()


def test_hostile_file_read_carelessly_does_run_its_code(tmp_path: Path) -> None:
    path, trap = tmp_path / "w.pth", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Hostile(trap)))
    pickle.loads(path.read_bytes())  # noqa: S301  # the trap of the test above must be one
    assert trap.exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 cut short", bytes(64)])
def test_read_weights_damaged_file_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}: expected a file of weights that opens without running code"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_read_weights_any_damaged_byte_is_refused_or_harmless(tmp_path: Path, zipped: bool) -> None:
    path, draw, refused = tmp_path / "w.pth", np.random.default_rng(0), 0
    torch.save({"a": torch.ones(3, 2), "b": {"c": torch.zeros(4)}}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(draw.choice((1, 2, 5))):
            damaged[draw.integers(min(len(whole), 600))] = draw.integers(256)
        path.write_bytes(damaged)
        try:
            read_weights(path)
        except CheckpointError:
            refused += 1  # any other error fails this test
    assert refused > 100


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}])
def test_read_weights_file_without_tensors_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=rf"expected a state dict .* got {type(content).__name__}"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_read_weights_number_that_is_not_finite_refused(tmp_path: Path, value: float) -> None:
    torch.save({"good": torch.ones(2), "layer.weight": torch.tensor([1.0, value])}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"not finite in layer\.weight"):
        read_weights(tmp_path / "w.pth")


def test_read_weights_absent_file_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth: expected a file of weights .* found none"):
        read_weights(tmp_path / "none.pth")
