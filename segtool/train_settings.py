"""What `segtool train` was told, as the settings of a new run or of one that goes on. Knows no training step."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import UsageError
from segtool.train_flags import SPREAD, flag_of
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig
from trainer.settings.config_file import read_config_file, recipe_layer
from trainer.settings.layers import Layer, Values, build_config, config_values, leaves, merge
from trainer.settings.recipes import DEFAULT_RECIPE

FREE_ON_RESUME = {"epochs"}  # the one setting that a run may be given anew and still be the same run


def split_flags(flags: Mapping[str, Any]) -> tuple[Values, Values, Values]:
    """Sorts the flags that were given.

    Args:
        flags: parameters by name, None where not given.

    Returns:
        Settings, nested as `TrainConfig` is; fields of FitOptions; arguments of `open_dataset`.

    Raises:
        UsageError: --scale is not two numbers.
    """
    nested: Values = {}
    for name, value in flags.items():
        if value is None:
            continue
        if name in SPREAD:
            table = nested.setdefault("augmentation", {})
            table.update(_spread(name, value))
            continue
        *tables, key = name.split("__")
        place = nested
        for table_name in tables:
            place = place.setdefault(table_name, {})
        place[key] = value
    return nested, nested.pop("fit", {}), nested.pop("data", {})


def new_config(values: Values, settings: tuple[str, ...], recipe: str | None, file: Path | None) -> TrainConfig:
    """The settings of a new run: the recipe, over it the file, over that the flags.

    Args:
        values: of the flags.
        settings: of --set, each KEY=VALUE.
        recipe: the flag's; None for the file's, else "seed".
        file: of --config.

    Raises:
        UsageError: an unknown key, a value that can't be, or settings that don't go together.
    """
    flags = _flag_layers(values, settings)
    if file is None:
        return build_config(merge([recipe_layer(recipe or DEFAULT_RECIPE), *flags]))
    file_recipe, layer = read_config_file(file)
    below = [recipe_layer(recipe or file_recipe or DEFAULT_RECIPE), layer]
    merged = merge([*below, *flags])
    try:
        return build_config(merged)
    except UsageError:
        try:
            build_config(merge(below))
        except UsageError as error:  # the file alone is to blame, and the message speaks of flags
            raise UsageError(f"{file}: {error}") from error
        raise


def resumed_config(
    run: Path, values: Values, settings: tuple[str, ...], recipe: str | None, file: Path | None, *, allow_inexact: bool
) -> TrainConfig:
    """The run's own settings, with another number of epochs where asked.

    Args:
        run: the folder.
        values: of the flags.
        settings: of --set.
        recipe: the flag's.
        file: of --config.
        allow_inexact: take what contradicts the run; `fit` says what can't be.

    Raises:
        UsageError: what was asked for contradicts the run.
        CheckpointError: there is no run to resume.
    """
    layers = []
    if file is not None:
        file_recipe, layer = read_config_file(file)
        recipe = recipe or file_recipe
        layers.append(layer)
    if recipe is not None:
        layers.insert(0, recipe_layer(recipe))
    stored = config_values(RunFolder(run).stored_config())
    start = Layer(values={"network": {"name": stored["network"]["name"]}}, label=flag_of)
    asked = merge([start, *layers, *_flag_layers(values, settings)])
    if not allow_inexact:
        _require_same(run, stored, asked)
    whole = Layer(values=stored, label=lambda key: f"{run}: {key}")
    return build_config(merge([whole, Layer(values=asked, label=flag_of)]))


def _require_same(run: Path, stored: Values, asked: Values) -> None:
    has = dict(leaves(stored))
    for key, value in leaves(asked):
        if key not in FREE_ON_RESUME and has.get(key) != value:
            raise UsageError(
                f"{run}: was started with {flag_of(key)} {has.get(key)}, --resume can't change it to "
                f"{value}; leave it out, allow it by --allow-inexact, or train anew in another --out"
            )


def _flag_layers(values: Values, settings: tuple[str, ...]) -> list[Layer]:
    return [Layer(values=each, label=flag_of) for each in (values, *map(_setting, settings))]


def _setting(text: str) -> Values:
    """KEY=VALUE as a layer's values: TOML where the value is that, else a text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set expects KEY=VALUE, got {text!r}; for example --set augmentation.noise=4")
    try:
        return tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        *tables, last = key.strip().split(".")
        nested: Values = {last: value.strip()}
        for table in reversed(tables):
            nested = {table: nested}
        return nested


def _spread(name: str, value: Any) -> Values:  # noqa: ANN401 (one number or several)
    keys = SPREAD[name]
    numbers = value if isinstance(value, tuple) else (value,) * len(keys)
    if len(numbers) != len(keys):
        raise UsageError(f"--{name} expects {len(keys)} numbers, got {len(numbers)}; for example --scale 0.5,2")
    return dict(zip(keys, numbers, strict=True))
