"""Every network by name, as plain settings and as a module: the one place that knows which there are."""

import dataclasses
from collections.abc import Callable
from typing import Any

from torch import nn

from runtime.errors import UsageError
from trainer.networks.deeplabv3 import DeepLabV3, DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3Plus, DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNet, EncoderUNetConfig
from trainer.networks.unet import UNet, UNetConfig
from trainer.networks.unet_fast import UNetFast, UNetFastConfig

NetworkConfig = UNetConfig | UNetFastConfig | EncoderUNetConfig | DeepLabV3PlusConfig | DeepLabV3Config

_NETWORKS: dict[str, tuple[type[NetworkConfig], Callable[[Any, int], nn.Module]]] = {
    "unet": (UNetConfig, UNet),
    "unet-fast": (UNetFastConfig, UNetFast),
    "encoder-unet": (EncoderUNetConfig, EncoderUNet),
    "deeplabv3plus": (DeepLabV3PlusConfig, DeepLabV3Plus),
    "deeplabv3": (DeepLabV3Config, DeepLabV3),
}
NETWORK_NAMES = tuple(_NETWORKS)


def build_network(config: NetworkConfig, class_count: int) -> nn.Module:
    """The network of these settings, freshly initialised from torch's random state.

    Args:
        config: which, and of what shape.
        class_count: channels of the logits, 1..255.

    Returns:
        A module: normalised float [N,3,H,W], H and W multiples of `config.stride_px` -> logits [N,C,H,W].
    """
    _, build = _NETWORKS[network_name(config)]
    return build(config, class_count)


def network_name(config: NetworkConfig) -> str:
    """The name under which `--network` and a checkpoint know these settings."""
    return next(name for name, (kind, _) in _NETWORKS.items() if isinstance(config, kind))


def network_to_dict(config: NetworkConfig) -> dict[str, Any]:
    """The settings as plain values, with the network's name under "name"."""
    return {"name": network_name(config), **dataclasses.asdict(config)}


def network_from_dict(values: dict[str, Any]) -> NetworkConfig:
    """The settings out of plain values, as `network_to_dict` and a configuration file's `[network]` have them.

    Raises:
        UsageError: no network has that name, or one of the values can't be.
        TypeError: a key that this network does not know.
    """
    rest = dict(values)
    name = rest.pop("name", "unet")
    if name not in _NETWORKS:
        raise UsageError(f"--network must be one of {', '.join(NETWORK_NAMES)}, got {name!r}; choose one of them")
    return _NETWORKS[name][0](**rest)
