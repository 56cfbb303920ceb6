"""Recipes: settings that were found to go together. A recipe says how a network learns, never which or on what.

Each is a layer of settings as a configuration file has them: what it does not name keeps the default of `TrainConfig`.
"""

from typing import Any

Recipe = dict[str, Any]  # of "ema", "loss", "optimiser", "schedule", "augmentation"

DEFAULT_RECIPE = "seed"

RECIPES: dict[str, Recipe] = {
    # the defaults, written out, so that a default that moves can't move the recipe with it
    "seed": {
        "loss": {"kind": "dice"},
        "optimiser": {"kind": "adam", "learning_rate": 1e-3},
        "schedule": {"kind": "cooldown"},
        "augmentation": {"crop": 0.25, "flip": 0.5, "min_scale": 1.0, "max_scale": 1.25},
    },
    # the best found for few epochs; how each line earned its place stands in docs/experiments.md
    "strong": {
        "loss": {"kind": "dice+cross-entropy"},
        "optimiser": {"kind": "adamw", "learning_rate": 3e-3, "weight_decay": 1e-2},
        "schedule": {"kind": "one-cycle", "warm_up": 0.3},
    },
}
