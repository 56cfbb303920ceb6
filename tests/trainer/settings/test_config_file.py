import dataclasses
from pathlib import Path

import pytest

from runtime.errors import UsageError
from trainer.data.augment import Augmentation
from trainer.learning.losses import LossConfig
from trainer.learning.optimise import OptimiserConfig
from trainer.learning.schedule import ScheduleConfig
from trainer.networks.catalogue import NETWORK_NAMES, network_from_dict
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig
from trainer.settings.config_file import read_config_file, recipe_layer, to_toml
from trainer.settings.layers import build_config, merge
from trainer.settings.recipes import RECIPES


@pytest.mark.parametrize("network", NETWORK_NAMES)
def test_to_toml_given_back_is_the_same_config_over_any_recipe(network: str, tmp_path: Path) -> None:
    config = TrainConfig(
        height_px=64,
        width_px=128,
        limit=3,
        ema=None,
        network=network_from_dict({"name": network}),
        optimiser=OptimiserConfig(kind="sgd", learning_rate=1e-5, clip_norm=None),
        augmentation=Augmentation(gamma=1 / 3),
    )
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config))
    for recipe in RECIPES:
        named, layer = read_config_file(file)
        assert named is None
        assert build_config(merge([recipe_layer(recipe), layer])) == config


def test_run_folder_leaves_a_file_that_gives_the_same_run(tmp_path: Path) -> None:
    config = TrainConfig(height_px=64, width_px=128, ema=0.9, loss=LossConfig(kind="dice+ohem", class_weights="log"))
    RunFolder(tmp_path).write_config(config)
    _, layer = read_config_file(tmp_path / "config.toml")
    assert build_config(merge([layer])) == config


def test_read_config_file_as_a_person_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "strong"\nsize = "512x256"\nepochs = 30\nema = 0.999\n\n[loss]\nkind = "dice"  # plain\n')
    recipe, layer = read_config_file(file)
    assert recipe == "strong"
    config = build_config(merge([layer]))
    assert (config.width_px, config.height_px, config.epochs, config.ema) == (512, 256, 30, 0.999)
    assert config.loss == LossConfig(kind="dice")


@pytest.mark.parametrize("content", [b"epochs = = 3", b"epochs = 3\nepochs = 4", b"\xff\xfe"])
def test_read_config_file_that_is_no_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad.toml: expected a TOML file of settings, got none \("):
        read_config_file(file)


def test_read_config_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.toml: expected a TOML file of settings, got none"):
        read_config_file(tmp_path / "absent.toml")


def test_read_config_file_recipe_of_another_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("recipe = 3")
    with pytest.raises(UsageError, match=r"a.toml: recipe must be a text, got 3"):
        read_config_file(tmp_path / "a.toml")


def test_recipe_layer_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="--recipe must be one of seed, strong, got 'best'"):
        recipe_layer("best")


def test_recipe_seed_is_the_default_and_the_numbers_that_it_always_had() -> None:
    assert build_config(merge([recipe_layer("seed")])) == TrainConfig()
    config = TrainConfig()
    assert config.loss == LossConfig(kind="dice", label_smoothing=0.0, class_weights="none")
    assert (config.optimiser.kind, config.optimiser.learning_rate, config.optimiser.clip_norm) == ("adam", 1e-3, None)
    assert config.schedule == ScheduleConfig(kind="cooldown", warm_up=0.0)
    changed = {name for name, value in dataclasses.asdict(config.augmentation).items() if value}
    assert changed == {"crop", "flip", "min_scale", "max_scale"}
    assert (config.ema, config.accumulate) == (None, 1)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_build_and_say_only_how_a_network_learns(name: str) -> None:
    build_config(merge([recipe_layer(name)]))
    assert set(RECIPES[name]) <= {"ema", "loss", "optimiser", "schedule", "augmentation"}
