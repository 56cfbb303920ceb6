import pytest
import torch
from torch import nn

from runtime.errors import UsageError
from trainer.learning.optimise import OptimiserConfig, build_optimiser, set_learning_rate


class Small(nn.Module):
    """An encoder and a head, each with a convolution with bias and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.ConvTranspose2d(4, 4, 2), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(image))


def decays_of(config: OptimiserConfig, network: nn.Module) -> dict[str, float]:
    groups = build_optimiser(config, network).param_groups
    return {
        name: group["weight_decay"]
        for name, parameter in network.named_parameters()
        for group in groups
        if any(each is parameter for each in group["params"])
    }


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_build_optimiser_norms_and_biases_do_not_decay(kind: str) -> None:
    decays = decays_of(OptimiserConfig(kind=kind, weight_decay=0.01), Small())
    assert decays == {
        "encoder.0.weight": 0.01,
        "encoder.0.bias": 0.0,
        "encoder.1.weight": 0.0,
        "encoder.1.bias": 0.0,
        "head.0.weight": 0.01,
        "head.0.bias": 0.0,
        "head.1.weight": 0.0,
        "head.1.bias": 0.0,
        "head.2.weight": 0.01,
        "head.2.bias": 0.0,
    }


def test_build_optimiser_has_every_parameter_once() -> None:
    network = Small()
    groups = build_optimiser(OptimiserConfig(kind="adamw", weight_decay=0.1, encoder_rate=0.1), network).param_groups
    listed = [id(each) for group in groups for each in group["params"]]
    assert sorted(listed) == sorted(id(each) for each in network.parameters())
    assert len(groups) == 4


def test_set_learning_rate_gives_the_encoder_its_share() -> None:
    network = Small()
    optimiser = build_optimiser(OptimiserConfig(encoder_rate=0.1), network)
    set_learning_rate(optimiser, 0.02)
    inside = {id(each) for each in network.encoder.parameters()}
    rates = {id(each): group["lr"] for group in optimiser.param_groups for each in group["params"]}
    assert {round(rate, 9) for each, rate in rates.items() if each in inside} == {0.002}
    assert {round(rate, 9) for each, rate in rates.items() if each not in inside} == {0.02}


def step_of(optimiser: torch.optim.Optimizer, network: nn.Module) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    for _ in range(3):
        optimiser.zero_grad()
        network(torch.randn(2, 3, 8, 8)).square().mean().backward()
        optimiser.step()
    return {name: each.detach().clone() for name, each in network.named_parameters()}


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("adam", lambda parameters: torch.optim.Adam(parameters, lr=0.01)),
        ("adamw", lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.0)),
        ("sgd", lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9)),
    ],
)
def test_build_optimiser_without_decay_steps_as_torchs_own(kind: str, make: object) -> None:
    torch.manual_seed(0)
    ours, theirs = Small(), Small()
    theirs.load_state_dict(ours.state_dict())
    made = step_of(build_optimiser(OptimiserConfig(kind=kind, learning_rate=0.01), ours), ours)
    expected = step_of(make(theirs.parameters()), theirs)
    for name, value in expected.items():
        torch.testing.assert_close(made[name], value, rtol=1e-6, atol=1e-7)


def test_adamw_decay_shrinks_weights_by_rate_times_decay() -> None:
    network = Small()
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    optimiser = build_optimiser(OptimiserConfig(kind="adamw", learning_rate=0.1, weight_decay=0.5), network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, parameter in network.named_parameters():
        shrunk = 1 - 0.1 * 0.5 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * shrunk)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "lion"}, "--optimiser must be one of adam, adamw, sgd, got 'lion'"),
        ({"learning_rate": 0.0}, "--lr must be above 0 and finite, got 0"),
        ({"learning_rate": float("nan")}, "--lr must be above 0 and finite, got nan"),
        ({"learning_rate": float("inf")}, "--lr must be above 0 and finite, got inf"),
        ({"kind": "adamw", "weight_decay": -1.0}, "--weight-decay must be 0 or more and finite, got -1"),
        ({"weight_decay": 0.01}, "must be 0 with --optimiser adam, got 0.01; give --optimiser adamw"),
        ({"clip_norm": 0.0}, "--clip-norm must be above 0 and finite, got 0"),
        ({"encoder_rate": 0.0}, "--encoder-rate must be above 0 and finite, got 0"),
    ],
)
def test_optimiser_config_impossible_settings_are_refused(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        OptimiserConfig(**values)
