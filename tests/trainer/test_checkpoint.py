import json
import subprocess
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError, DivergedError, StorageError
from trainer.checkpoint import (
    MODEL,
    OPTIMIZER,
    Checkpoint,
    load_checkpoint,
    load_weights,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
)


def example(value: float = 1.0) -> Checkpoint:
    tensors = {MODEL + "w": torch.full((3, 2), value), MODEL + "n": torch.tensor(4), OPTIMIZER + "0.m": torch.ones(2)}
    return Checkpoint(tensors=tensors, record={"epoch": 3, "history": [{"mean_iou": 0.5}]})


def test_save_checkpoint_load_gives_the_same_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.safetensors", example())
    loaded = load_checkpoint(tmp_path / "last.safetensors")
    assert loaded.record["epoch"] == 3
    assert loaded.part(MODEL).keys() == {"w", "n"}
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in example().tensors.items())


def test_save_checkpoint_writes_a_readable_copy_of_the_record(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.safetensors", example())
    assert json.loads((tmp_path / "last.json").read_text())["history"] == [{"mean_iou": 0.5}]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_save_checkpoint_not_finite_is_refused_and_the_old_one_stays(tmp_path: Path, value: float) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())
    with pytest.raises(DivergedError, match=r"model\.w holds a number that is not finite"):
        save_checkpoint(path, example(value))
    assert load_checkpoint(path).tensors[MODEL + "w"][0, 0] == 1


def test_load_checkpoint_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())
    good = path.read_bytes()
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"last\.safetensors"):
            load_checkpoint(path)


def test_load_checkpoint_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=r"last\.safetensors"):
            load_checkpoint(path)


def test_load_checkpoint_absent_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"found none; .* is not the folder of a run; make one with"):
        load_checkpoint(tmp_path / "last.safetensors")


def test_load_checkpoint_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "best.safetensors"
    torch.save({"model": Hostile()}, path)
    with pytest.raises(CheckpointError, match="expected a checkpoint written by segtool"):
        load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_load_checkpoint_newer_schema_is_refused_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.checkpoint.SCHEMA_VERSION", 7)
    save_checkpoint(tmp_path / "last.safetensors", example())
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="schema 7, this segtool reads 2"):
        load_checkpoint(tmp_path / "last.safetensors")


def test_save_checkpoint_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, example())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"disk full, .* MB needed and .* MB free"):
        save_checkpoint(path, example(2.0))
    monkeypatch.undo()
    assert load_checkpoint(path).tensors[MODEL + "w"][0, 0] == 1
    assert {file.name for file in tmp_path.iterdir()} == {"last.safetensors", "last.json"}


def test_save_checkpoint_on_a_full_file_system_says_so_and_keeps_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        save_checkpoint(folder / "last.safetensors", example())
        larger = Checkpoint(tensors={MODEL + "w": torch.ones(100_000)}, record={})
        with pytest.raises(StorageError, match=r"disk full, 0\.4 MB needed and 0\.[23] MB free"):
            save_checkpoint(folder / "last.safetensors", larger)
        assert load_checkpoint(folder / "last.safetensors").record["epoch"] == 3
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_load_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"best: its weights do not fit the network"):
        load_weights(torch.nn.Linear(2, 5), example().validated(), "best")


def test_unpack_optimizer_continues_as_if_never_stopped() -> None:
    def step(parameter: torch.Tensor, optimizer: torch.optim.Optimizer, times: int) -> None:
        for _ in range(times):
            optimizer.zero_grad()
            parameter.square().sum().backward()
            optimizer.step()

    straight = torch.nn.Parameter(torch.ones(3))
    step(straight, torch.optim.Adam([straight], lr=0.1), 6)
    first = torch.nn.Parameter(torch.ones(3))
    before = torch.optim.Adam([first], lr=0.1)
    step(first, before, 3)
    second = torch.nn.Parameter(first.detach().clone())
    after = torch.optim.Adam([second], lr=0.1)
    unpack_optimizer(after, pack_optimizer(before))
    step(second, after, 3)
    assert torch.equal(straight, second)
