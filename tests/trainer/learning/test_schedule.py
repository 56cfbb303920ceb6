from itertools import pairwise

import pytest
import torch
from torch.optim import SGD, lr_scheduler

from runtime.errors import UsageError
from trainer.learning.schedule import ScheduleConfig

STEPS = 50


def factors_of_torch(make: type, **settings: object) -> list[float]:
    """What a scheduler of torch makes of a learning rate of 1, step by step."""
    optimiser = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimiser, **settings)
    factors = []
    for _ in range(STEPS):
        factors.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(factors) < STEPS:
            scheduler.step()
    return factors


def test_schedule_poly_equals_torchs() -> None:
    expected = factors_of_torch(lr_scheduler.PolynomialLR, total_iters=STEPS, power=0.9)
    schedule = ScheduleConfig(kind="poly")
    assert [schedule.factor(step / STEPS) for step in range(STEPS)] == pytest.approx(expected, abs=1e-9)


def test_schedule_cosine_equals_torchs() -> None:
    expected = factors_of_torch(lr_scheduler.CosineAnnealingLR, T_max=STEPS)
    schedule = ScheduleConfig(kind="cosine")
    assert [schedule.factor(step / STEPS) for step in range(STEPS)] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("warm_up", [0.2, 0.3])
def test_schedule_one_cycle_equals_torchs(warm_up: float) -> None:
    # torch's counts its last step as the end of the run, so its place is step / (steps - 1); and its warm-up ends at
    # pct_start * steps - 1, which is put back to the share here
    pct_start = (warm_up * (STEPS - 1) + 1) / STEPS
    settings = {"max_lr": 1.0, "total_steps": STEPS, "pct_start": pct_start, "cycle_momentum": False}
    expected = factors_of_torch(lr_scheduler.OneCycleLR, **settings)
    schedule = ScheduleConfig(kind="one-cycle", warm_up=warm_up)
    assert [schedule.factor(step / (STEPS - 1)) for step in range(STEPS)] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.6, 1.0), (0.8, 0.5), (0.9, 0.25), (1.0, 0.0)])
def test_schedule_cooldown_by_hand(share: float, expected: float) -> None:
    assert ScheduleConfig().factor(share) == pytest.approx(expected)
    assert ScheduleConfig(kind="constant").factor(share) == 1.0


@pytest.mark.parametrize("kind", ["cooldown", "constant", "cosine", "poly"])
def test_schedule_warm_up_rises_linearly_to_the_highest(kind: str) -> None:
    schedule = ScheduleConfig(kind=kind, warm_up=0.1)
    assert [schedule.factor(share) for share in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize("kind", ["cooldown", "constant", "cosine", "poly", "one-cycle"])
@pytest.mark.parametrize("warm_up", [0.0, 0.3, 0.6])
def test_schedule_stays_within_0_and_1_and_has_no_jump(kind: str, warm_up: float) -> None:
    schedule = ScheduleConfig(kind=kind, warm_up=warm_up)
    factors = [schedule.factor(step / 1000) for step in range(1001)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(abs(b - a) for a, b in pairwise(factors)) < 0.015


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "linear"}, "--schedule must be one of cooldown, .*, got 'linear'"),
        ({"warm_up": 1.0}, "--warm-up must be a share of the run from 0 to below 1, got 1"),
        ({"warm_up": -0.1}, "got -0.1"),
        ({"warm_up": float("nan")}, "got nan"),
        ({"warm_up": 0.7}, "where the cooldown starts, at 0.6 of the run, got 0.7"),
    ],
)
def test_schedule_impossible_settings_are_refused(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ScheduleConfig(**values)
