"""Settings as a TOML file that people write, and as the one that every run leaves for the next."""

import json
import tomllib
from pathlib import Path
from typing import Any

from runtime.errors import UsageError
from trainer.settings.checks import NONE, check_value
from trainer.settings.config import TrainConfig
from trainer.settings.layers import Layer, config_values
from trainer.settings.recipes import RECIPES

HEADER = "# The settings of this run. Another run with them: segtool train DATA --out RUN --config THIS_FILE\n\n"


def read_config_file(path: Path) -> tuple[str | None, Layer]:
    """Reads a file; `merge` checks what is in it.

    Args:
        path: TOML: top-level keys such as `size = "512x256"` and `epochs = 30`, perhaps `recipe = "strong"`,
            and tables `[network]`, `[loss]`, `[optimiser]`, `[schedule]`, `[augmentation]` with the fields of their
            dataclasses.

    Returns:
        The recipe that the file builds on, None where it names none, and its settings.

    Raises:
        UsageError: the file can't be read or is no TOML, or its recipe is not a text.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or no TOML
        raise UsageError(f"--config {path}: expected a TOML file of settings, got none ({error})") from error

    def label(key: str) -> str:
        return f"{path}: {key}"

    recipe = values.pop("recipe", None)
    return recipe if recipe is None else check_value(recipe, str, label("recipe")), Layer(values=values, label=label)


def recipe_layer(name: str) -> Layer:
    """The settings of a recipe.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"--recipe must be one of {', '.join(RECIPES)}, got {name!r}; choose one of them")
    return Layer(values=RECIPES[name], label=lambda key: f"recipe {name}: {key}")


def to_toml(config: TrainConfig) -> str:
    """Every setting of a run as a file that `read_config_file` reads."""
    values = config_values(config)
    tables = {name: values.pop(name) for name in list(values) if isinstance(values[name], dict)}
    lines = _lines(values)
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_lines(table)]
    return HEADER + "\n".join(lines) + "\n"


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_literal(value)}" for key, value in table.items()]


def _literal(value: Any) -> str:  # noqa: ANN401 (whatever a setting is)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_literal, value))}]"
    # numbers, true and false, and a text's quotes and escapes are in JSON what they are in TOML
    return json.dumps(NONE if value is None else value)
