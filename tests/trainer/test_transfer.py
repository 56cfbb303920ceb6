import copy
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from runtime.errors import CheckpointError, UsageError
from trainer.checkpoint import MODEL, Checkpoint, save_checkpoint
from trainer.networks.encoder_unet import EncoderUNet, EncoderUNetConfig
from trainer.networks.unet import UNet, UNetConfig
from trainer.networks.unet_fast import UNetFast, UNetFastConfig
from trainer.transfer import init_from, set_encoder_frozen


def unet(classes: int = 3, width: int = 4, seed: int = 0) -> UNet:
    torch.manual_seed(seed)
    return UNet(UNetConfig(width=width, depth=2), classes)


def run_of(network: nn.Module, folder: Path) -> Path:
    folder.mkdir()
    tensors = {MODEL + name: value for name, value in network.state_dict().items()}
    tensors["optimizer.0.exp_avg"] = torch.zeros(2)
    save_checkpoint(folder / "best.safetensors", Checkpoint(tensors=tensors, record={"epoch": 3}))
    return folder


def same(one: nn.Module, other: nn.Module) -> set[str]:
    """Names of the tensors that are equal in both."""
    b = other.state_dict()
    return {name for name, value in one.state_dict().items() if name in b and torch.equal(value, b[name])}


@pytest.mark.parametrize("whole_folder", [True, False])
def test_init_from_same_network_takes_everything(tmp_path: Path, whole_folder: bool) -> None:
    source, network = unet(seed=1), unet()
    folder = run_of(source, tmp_path / "run")
    file = folder / "best.safetensors"
    facts = init_from(network, folder if whole_folder else file)
    assert same(network, source) == set(source.state_dict())
    assert facts == {
        "source": "run/best.safetensors",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "taken": len(source.state_dict()),
        "anew": [],
        "unused": [],
    }


def test_init_from_another_head_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    source, network = unet(classes=19, seed=1), unet(classes=3)
    fresh = copy.deepcopy(network)
    facts = init_from(network, run_of(source, tmp_path / "run"))
    assert sorted(facts["anew"]) == sorted(facts["unused"]) == ["head.bias", "head.weight"]
    assert same(network, source) == set(source.state_dict()) - {"head.weight", "head.bias"}
    assert {"head.weight", "head.bias"} <= same(network, fresh)


def test_init_from_nothing_that_fits_refused_and_nothing_taken(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5))
    fresh = copy.deepcopy(network)
    with pytest.raises(CheckpointError, match=r"0\.weight of shape \(5, 3, 1, 1\), got \d+ tensors of which none fits"):
        init_from(network, run_of(unet(), tmp_path / "run"))
    assert same(network, fresh) == set(fresh.state_dict())


def test_init_from_counters_alone_do_not_count_as_fitting(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none fits"):
        init_from(unet(classes=5, width=6), run_of(unet(classes=3, width=4), tmp_path / "run"))


def test_init_from_folder_without_a_run_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"best\.safetensors: expected a checkpoint, found none"):
        init_from(unet(), tmp_path)


def step(network: nn.Module, size: int = 64) -> None:
    """An epoch of one step, as the loop does it, with decay and momentum that would move a parameter by themselves."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
    network(torch.randn(2, 3, size, size)).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize(
    "build", [unet, lambda: EncoderUNet(EncoderUNetConfig(width=4), 3), lambda: UNetFast(UNetFastConfig(), 3)]
)
def test_set_encoder_frozen_changes_nothing_in_the_encoder_and_all_else(build: Callable[[], nn.Module]) -> None:
    network = build()
    step(network.train())  # leaves gradients behind
    before = copy.deepcopy(network)
    set_encoder_frozen(network.train(), frozen=True)
    step(network)
    assert same(network.encoder, before.encoder) == set(before.encoder.state_dict())  # norms' statistics included
    inside = {id(parameter) for parameter in network.encoder.parameters()}
    outside = {name for name, parameter in network.named_parameters() if id(parameter) not in inside}
    assert outside
    assert not same(network, before) & outside
    set_encoder_frozen(network.train(), frozen=False)
    step(network)
    assert not same(network, before) & {name for name, _ in network.named_parameters()}


def test_train_alone_undoes_half_of_the_freezing() -> None:
    network = unet()
    set_encoder_frozen(network.train(), frozen=True)
    assert not network.stem.training
    assert network.train().stem.training  # so the loop must call it again after each train()


def test_set_encoder_frozen_evaluating_stays_evaluating() -> None:
    network = unet().eval()
    set_encoder_frozen(network, frozen=False)
    assert not any(module.training for module in network.modules())


def test_set_encoder_frozen_without_an_encoder_refused() -> None:
    with pytest.raises(UsageError, match="network with an encoder, got Conv2d"):
        set_encoder_frozen(nn.Conv2d(1, 1, 1), frozen=True)


def test_init_from_a_path_that_is_not_there_names_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"--init .*nowhere: expected a run's folder or a checkpoint, found noth"):
        init_from(nn.Linear(1, 1), tmp_path / "nowhere")
