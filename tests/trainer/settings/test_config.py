import json

import pytest
import torch

from runtime.errors import CheckpointError, UsageError
from trainer.data.augment import Augmentation
from trainer.learning.losses import LossConfig
from trainer.learning.optimise import OptimiserConfig
from trainer.learning.schedule import ScheduleConfig
from trainer.networks.catalogue import NETWORK_NAMES, network_from_dict
from trainer.networks.unet import UNetConfig
from trainer.precision import resolve_precision
from trainer.settings.config import TrainConfig


def test_train_config_through_json_comes_back_equal() -> None:
    config = TrainConfig(
        height_px=128,
        width_px=256,
        limit=7,
        ema=0.99,
        network=UNetConfig(width=8, up="bilinear"),
        loss=LossConfig(kind="ohem", class_weights="log"),
        optimiser=OptimiserConfig(kind="sgd", clip_norm=1.0),
        schedule=ScheduleConfig(kind="poly", warm_up=0.1),
        augmentation=Augmentation(min_scale=0.5, gamma=0.2),
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())), "here") == config


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_train_config_to_dict_of_each_network_is_what_json_gives_back(name: str) -> None:
    # a tuple in it would differ from the list in a checkpoint's record, and each resume and export be refused
    values = TrainConfig(network=network_from_dict({"name": name})).to_dict()
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height_px": 100, "width_px": 100}, "100x100; the nearest that fit: 96x96 or 112x112"),
        ({"precision": "fp8"}, "fp8"),
        ({"epochs": 0}, "--epochs must be 1 or more, got 0"),
        ({"batch_size": -1}, "--batch-size must be 1 or more, got -1"),
        ({"limit": 0}, "--limit must be 1 or more, got 0"),
        ({"accumulate": 0}, "--accumulate must be 1 or more, got 0"),
        ({"ema": 1.0}, "--ema must be from 0 to below 1, got 1"),
        ({"freeze_encoder_epochs": -1}, "--freeze-encoder must be 0 or more epochs, got -1"),
        ({"seed": -1}, "--seed must be from 0 to 4294967295, got -1"),
    ],
)
def test_train_config_unusable_value_is_named(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**settings)


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
