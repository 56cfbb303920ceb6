"""Retention: killed at any moment of a rotating save, a run still has a good checkpoint."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError
from trainer.checkpoint import load_checkpoint
from trainer.run_folder import RunFolder
from trainer.state import save_state

OPERATIONS = ((Path, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink"))


def save(run: RunFolder, epoch: int, keep: int) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    save_state(run, network, None, optimizer, {"epoch": epoch}, best=True, keep=keep)


def good(run: RunFolder) -> list[int]:
    """Epochs of the checkpoints that load; raises where one is there and does not."""
    return [load_checkpoint(path).record["epoch"] for path in run.path.glob("*.safetensors")]


def in_child(deed: Callable[[], None]) -> int:
    """Runs in a process of its own and returns its exit code."""
    child = os.fork()
    if child == 0:
        try:
            deed()
        except BaseException:  # noqa: BLE001 (whatever it is, the parent must hear of it)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying_at(operation: int, deed: Callable[[], None], *, after: bool) -> Callable[[], None]:
    """The deed, in a process that ends in the so-manyth of its operations on files."""

    def run() -> None:
        count = 0

        def counted(honest: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **named: object) -> object:
                nonlocal count
                count += 1
                if count == operation and not after:
                    os._exit(9)
                result = honest(*arguments, **named)
                if count == operation:
                    os._exit(9)  # what Python still holds of the file is lost, as with kill -9
                return result

            return call

        for place, name in OPERATIONS:
            setattr(place, name, counted(getattr(place, name)))
        deed()

    return run


@pytest.mark.parametrize("after", [False, True])
def test_save_state_killed_anywhere_while_it_keeps_one_leaves_good_ones(tmp_path: Path, after: bool) -> None:
    run = RunFolder(tmp_path)
    save(run, 1, keep=1)
    ended, operation, epoch = 9, 0, 1
    while ended == 9:
        operation, epoch = operation + 1, epoch + 1
        ended = in_child(dying_at(operation, lambda number=epoch: save(run, number, keep=1), after=after))
        epochs = good(run)  # nothing there is damaged
        assert len(epochs) >= 3  # best, last and one more, of this save or of one before
        assert load_checkpoint(run.last).record["epoch"] in (epoch, *range(1, epoch))
    assert ended == 0
    assert operation > 20
    assert sorted(path.name for path in tmp_path.glob("epoch_*.safetensors")) == [run.past(epoch).name]


def test_save_state_planted_deletion_before_writing_is_caught(tmp_path: Path) -> None:
    # the same loop over a save that removes before it writes must find a moment with nothing good
    run = RunFolder(tmp_path)
    save(run, 1, keep=1)

    def reckless() -> None:
        for path in tmp_path.glob("*.safetensors"):
            path.unlink()
        save(run, 2, keep=1)

    counts = []
    for operation in range(1, 8):
        in_child(dying_at(operation, reckless, after=True))
        counts.append(len(good(run)))
    assert 0 in counts


def test_remove_past_keeps_the_newest_and_what_it_does_not_know(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    names = ["epoch_001", "epoch_002", "epoch_010", "epoch_011", "epoch_copy", "best"]
    for name in names:
        (tmp_path / f"{name}.safetensors").touch()
    run.remove_past(1, 10)
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {"epoch_010", "epoch_011", "epoch_copy", "best"}  # 11 belongs to a later part of the run


def test_load_checkpoint_past_epoch_is_one_to_resume_from(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    save(run, 1, keep=2)
    assert load_checkpoint(run.past(1)).tensors.keys() == load_checkpoint(run.last).tensors.keys()
    with pytest.raises(CheckpointError, match=r"epoch_002\.safetensors: expected a checkpoint, found none"):
        load_checkpoint(run.past(2))
