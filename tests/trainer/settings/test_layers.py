from typing import Any

import pytest

from runtime.errors import UsageError
from trainer.networks.catalogue import NETWORK_NAMES, network_from_dict, network_name
from trainer.settings.config import TrainConfig
from trainer.settings.layers import Layer, build_config, config_values, leaves, merge


def layer(values: dict[str, Any], where: str = "a.toml") -> Layer:
    return Layer(values=values, label=lambda key: f"{where}: {key}")


def test_build_config_of_nothing_is_the_default() -> None:
    assert build_config(merge([])) == TrainConfig()


@pytest.mark.parametrize("network", NETWORK_NAMES)
def test_config_values_come_back_as_the_same_config(network: str) -> None:
    config = TrainConfig(height_px=128, width_px=256, limit=9, network=network_from_dict({"name": network}))
    assert build_config(config_values(config)) == config
    assert build_config(merge([layer(config_values(config))])) == config


def test_merge_the_last_layer_wins_key_by_key() -> None:
    low = layer({"epochs": 3, "loss": {"kind": "ohem", "label_smoothing": 0.1}, "optimiser": {"learning_rate": 1e-2}})
    high = layer({"epochs": 4, "loss": {"kind": "cross-entropy"}, "size": "128x64"})
    config = build_config(merge([low, high]))
    assert (config.epochs, config.width_px, config.height_px) == (4, 128, 64)
    assert (config.loss.kind, config.loss.label_smoothing) == ("cross-entropy", 0.1)
    assert config.optimiser.learning_rate == 1e-2


def test_merge_another_network_starts_from_its_own_defaults() -> None:
    low = layer({"network": {"name": "unet", "depth": 2, "width": 4}})
    same = build_config(merge([low, layer({"network": {"name": "unet", "width": 8}})])).network
    assert same == network_from_dict({"name": "unet", "depth": 2, "width": 8})
    other = build_config(merge([low, layer({"network": {"name": "unet-fast"}})])).network
    assert other == network_from_dict({"name": "unet-fast"})


def test_merge_unet_with_an_encoder_is_the_one_over_an_encoder() -> None:
    first = {"network": {"name": "unet", "encoder": "resnet18"}}
    second = {"network": {"width": 48}}
    network = build_config(merge([layer(first), layer(second)])).network
    assert network_name(network) == "encoder-unet"
    assert (network.encoder, network.width) == ("resnet18", 48)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epcohs": 3}, r"a.toml: epcohs is not known here; did you mean epochs\?"),
        ({"height_px": 3}, "a.toml: height_px is not known here"),
        ({"loss": {"knd": "dice"}}, r"a.toml: loss.knd is not known here; did you mean kind\?"),
        ({"loss": "dice"}, "a.toml: loss must be a table, got 'dice'"),
        ({"epochs": True}, "a.toml: epochs must be a whole number, got True"),
        ({"size": 1.5}, "a.toml: size must be a number or WIDTHxHEIGHT, got 1.5"),
        ({"precision": "fp8"}, "a.toml: precision must be one of auto, no, fp16, bf16, got 'fp8'"),
        ({"network": {"name": "vgg"}}, "--network must be one of unet, .*, got 'vgg'"),
        ({"network": {"name": "unet-fast", "depth": 3}}, "network.depth is not a setting of the network unet-fast"),
        ({"network": {"name": "unet", "up": "nearest"}}, "network.up must be one of learned, bilinear, got 'nearest'"),
    ],
)
def test_merge_what_is_not_a_setting_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merge([layer(values)])


def test_leaves_are_dotted_keys() -> None:
    assert dict(leaves({"a": 1, "b": {"c": 2, "d": {"e": 3}}})) == {"a": 1, "b.c": 2, "b.d.e": 3}
