"""Settings out of layers: a recipe, over it a file, over that flags. A layer that comes later wins, key by key.

A layer holds plain values, nested as `TrainConfig` is; the input's size is one key, "size". Every key and type is
checked as its layer comes in, so that a message names the file or flag that it is about.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from runtime.errors import UsageError
from trainer.data.augment import Augmentation
from trainer.learning.losses import LossConfig
from trainer.learning.optimise import OptimiserConfig
from trainer.learning.schedule import ScheduleConfig
from trainer.networks.catalogue import network_from_dict, network_to_dict
from trainer.settings.checks import Label, check_settings, check_value, parse_size, require_known, suggestion
from trainer.settings.config import TrainConfig

Values = dict[str, Any]

SECTIONS = {
    "loss": LossConfig,
    "optimiser": OptimiserConfig,
    "schedule": ScheduleConfig,
    "augmentation": Augmentation,
}
ENCODER_UNET = "encoder-unet"  # what "unet" is called where it stands over an encoder


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Settings from one place.

    Attributes:
        values: plain values, nested as `TrainConfig` is.
        label: what a message calls a dotted key of them.
    """

    values: Values
    label: Label


def merge(layers: Sequence[Layer]) -> Values:
    """One layer's values out of several, each checked; the last wins.

    A layer that names another network than those before it starts from that network's own defaults.

    Raises:
        UsageError: an unknown key, or a value of another type.
    """
    merged: Values = {}
    for layer in layers:
        top = {
            name: hint for name, hint in get_type_hints(TrainConfig).items() if name not in ("height_px", "width_px")
        }
        require_known(layer.values, ["size", *top], "", layer.label)
        for key, value in layer.values.items():
            if key == "size":
                height_px, width_px = parse_size(value, layer.label(key))
                merged[key] = f"{width_px}x{height_px}"
            elif key == "network":
                merged[key] = _merge_network(merged.get(key, {}), _table(value, layer, key), layer)
            elif key in SECTIONS:
                checked = check_settings(_table(value, layer, key), SECTIONS[key], f"{key}.", layer.label)
                merged[key] = {**merged.get(key, {}), **checked}
            else:
                merged[key] = check_value(value, top[key], layer.label(key))
    return merged


def build_config(values: Values) -> TrainConfig:
    """The settings that merged values stand for; what they don't name keeps its default.

    Raises:
        UsageError: a value that can't be, or values that don't go together.
    """
    rest = dict(values)
    sections = {name: kind(**rest.pop(name, {})) for name, kind in SECTIONS.items()}
    if "size" in rest:
        rest["height_px"], rest["width_px"] = parse_size(rest.pop("size"), "size")
    return TrainConfig(network=network_from_dict(rest.pop("network", {})), **sections, **rest)


def config_values(config: TrainConfig) -> Values:
    """The settings as one whole layer: `build_config` makes the same of it."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    size = f"{values.pop('width_px')}x{values.pop('height_px')}"
    sections = {name: dataclasses.asdict(values.pop(name)) for name in SECTIONS}
    return {"size": size, **values, "network": network_to_dict(config.network), **sections}


def leaves(values: Values, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every dotted key and its value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _merge_network(before: Values, values: Values, layer: Layer) -> Values:
    name = check_value(values.get("name", before.get("name", "unet")), str, layer.label("network.name"))
    if name == "unet" and "encoder" in values:
        name = ENCODER_UNET
    kept = before if name == before.get("name", "unet") else {}
    settings = type(network_from_dict({"name": name}))
    asked = {key: value for key, value in values.items() if key != "name"}
    known = get_type_hints(settings)
    for key in asked:
        if key not in known:
            raise UsageError(
                f"{layer.label(f'network.{key}')} is not a setting of the network {name}; {suggestion(key, known)}"
            )
    return {**kept, "name": name, **check_settings(asked, settings, "network.", layer.label)}


def _table(value: object, layer: Layer, key: str) -> Values:
    table: Values = check_value(value, dict, layer.label(key))
    return table
