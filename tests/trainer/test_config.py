import json

import pytest
import torch

from runtime.errors import CheckpointError, UsageError
from trainer.config import TrainConfig
from trainer.networks.unet import UNetConfig
from trainer.precision import resolve_precision


def test_train_config_through_json_comes_back_equal() -> None:
    config = TrainConfig(height_px=128, width_px=256, limit=7, network=UNetConfig(width=8, up="bilinear"))
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())), "here") == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height_px": 100, "width_px": 100}, "100x100; the nearest that fit: 96x96 or 112x112"),
        ({"precision": "fp8"}, "fp8"),
        ({"epochs": 0}, "--epochs must be 1 or more, got 0"),
        ({"batch_size": -1}, "--batch-size must be 1 or more, got -1"),
        ({"limit": 0}, "--limit must be 1 or more, got 0"),
        ({"schedule": "linear"}, "linear"),
        ({"learning_rate": 0.0}, "--lr must be above 0 and finite, got 0"),
        ({"learning_rate": float("nan")}, "--lr must be above 0 and finite, got nan"),
        ({"learning_rate": float("inf")}, "--lr must be above 0 and finite, got inf"),
        ({"seed": -1}, "--seed must be from 0 to 4294967295, got -1"),
    ],
)
def test_train_config_unusable_value_is_named(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**settings)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1e-3), (0.6, 1e-3), (0.8, 5e-4), (0.9, 2.5e-4), (1.0, 0.0)])
def test_learning_rate_at_cooldown_by_hand(share: float, expected: float) -> None:
    assert TrainConfig().learning_rate_at(share) == pytest.approx(expected)
    assert TrainConfig(schedule="constant").learning_rate_at(share) == 1e-3


@pytest.mark.parametrize("change", [{"colour": 1}, {"network": {"depth": 4}, "epochs": 0}, {"network": 3}])
def test_train_config_from_dict_of_something_else_is_a_checkpoint_error(change: dict) -> None:
    with pytest.raises(CheckpointError, match=r"run/last.safetensors: expected the settings of a run"):
        TrainConfig.from_dict({**TrainConfig().to_dict(), **change}, "run/last.safetensors")


def test_resolve_precision_fp16_on_cpu_is_refused() -> None:
    with pytest.raises(UsageError, match="--precision fp16 needs a GPU"):
        resolve_precision("fp16", torch.device("cpu"))


@pytest.mark.parametrize(
    ("asked", "device", "native", "expected"),
    [
        ("auto", "cuda", False, "fp16"),
        ("auto", "cpu", True, "bf16"),
        ("auto", "cpu", False, "no"),
        ("no", "cuda", True, "no"),
        ("bf16", "cpu", False, "bf16"),
    ],
)
def test_resolve_precision_takes_what_the_device_does_natively(
    asked: str, device: str, native: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": native, "avx2": True})
    assert resolve_precision(asked, torch.device(device)) == expected
