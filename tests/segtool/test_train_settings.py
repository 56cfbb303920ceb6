"""Flags to settings: who wins, what is refused, and what a resumed run may be told."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError, UsageError
from segtool.train_flags import SECTIONS, flag_of
from segtool.train_settings import new_config, resumed_config, split_flags
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.data.augment import Augmentation
from trainer.learning.optimise import OptimiserConfig
from trainer.networks.catalogue import network_from_dict
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig
from trainer.settings.layers import config_values, leaves


@pytest.fixture
def stored_run(tmp_path: Path) -> Path:
    """A run folder whose `last` says what it was started with; small, at 128x64."""
    config = TrainConfig(height_px=64, width_px=128, epochs=3, network=UNetConfig(width=4, depth=2))
    record = {"config": config.to_dict(), "label_space": {"name": "categories"}}
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run" / "last.safetensors", Checkpoint(tensors={"a": torch.zeros(1)}, record=record))
    return tmp_path / "run"


def config_of(*, settings=(), recipe=None, file=None, **flags) -> TrainConfig:
    values, _, _ = split_flags(flags)
    return new_config(values, tuple(settings), recipe, file)


def test_split_flags_sorts_by_where_a_value_goes():
    flags = {"epochs": 3, "loss__kind": "ohem", "fit__workers": 0, "data__unsure": "ignore", "seed": None, "size": "64"}
    assert split_flags(flags) == (
        {"epochs": 3, "loss": {"kind": "ohem"}, "size": "64"},
        {"workers": 0},
        {"unsure": "ignore"},
    )


def test_new_config_without_flags_is_the_plain_default():
    assert config_of() == TrainConfig()
    assert config_of(recipe="seed") == TrainConfig()


def test_new_config_flags_win_over_the_file_and_the_file_over_the_recipe(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('recipe = "strong"\nepochs = 7\n[optimiser]\nlearning_rate = 0.5\nweight_decay = 0.25\n')
    config = config_of(file=file, optimiser__weight_decay=0.125)
    assert (config.optimiser.kind, config.optimiser.learning_rate, config.optimiser.weight_decay) == (
        "adamw",
        0.5,
        0.125,
    )
    assert config.epochs == 7
    assert config.schedule.kind == "one-cycle"
    plain = config_of(file=file, recipe="seed", optimiser__kind="sgd")  # the flag's recipe, not the file's
    assert plain.schedule.kind == "cooldown"


def test_new_config_scale_and_colour_are_several_settings():
    made = config_of(scale=(0.5, 2.0), colour=0.4, augmentation__crop=1.0).augmentation
    expected = Augmentation(
        crop=1.0, min_scale=0.5, max_scale=2.0, brightness=0.4, contrast=0.4, saturation=0.4, gamma=0.4
    )
    assert made == expected


def test_new_config_set_reaches_any_key():
    settings = ["network.name=unet-fast", "network.channels=[16, 24, 48, 80]", "augmentation.noise = 4", "ema=0.9"]
    config = config_of(settings=settings)
    assert config.network == replace(network_from_dict({"name": "unet-fast"}), channels=(16, 24, 48, 80))
    assert (config.augmentation.noise, config.ema) == (4.0, 0.9)


def test_new_config_none_takes_away_what_a_layer_below_gave(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("ema = 0.99\n[optimiser]\nclip_norm = 1\n")
    assert config_of(file=file).optimiser.clip_norm == 1.0
    config = config_of(file=file, ema="none", optimiser__clip_norm="none")
    assert (config.ema, config.optimiser.clip_norm) == (None, None)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"network__name": "unet-fast", "network__depth": 3}, "--depth is not a setting of the network unet-fast"),
        (
            {"settings": ["network.widht=3"]},
            "network.widht is not a setting of the network unet; did you mean width",
        ),
        ({"network__name": "unet", "network__up": "nearest"}, "--up must be one of learned, bilinear, got 'nearest'"),
        ({"size": "12x"}, "--size must be a number or WIDTHxHEIGHT, got '12x'"),
        ({"size": "100"}, "100x100; the nearest that fit: 96x96 or 112x112"),
        ({"scale": (0.5,)}, "--scale expects 2 numbers, got 1"),
        ({"loss__kind": "focal"}, "--loss must be one of dice, .* got 'focal'"),
        ({"recipe": "best"}, "--recipe must be one of seed, strong, got 'best'"),
        ({"settings": ["noise"]}, "--set expects KEY=VALUE, got 'noise'"),
        ({"settings": ["augmentation.nosie=4"]}, r"--set augmentation.nosie is not known here; did you mean noise\?"),
        ({"settings": ["augmentation.noise=loud"]}, "--set augmentation.noise must be a number, got 'loud'"),
    ],
)
def test_new_config_what_does_not_fit_is_refused_by_its_flag(flags, message):
    with pytest.raises(UsageError, match=message):
        config_of(**flags)


def test_new_config_a_value_in_the_file_that_can_not_be_names_the_file(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[optimiser]\nlearning_rate = -1.0\n")
    with pytest.raises(UsageError, match=r"a.toml: --lr must be above 0 and finite, got -1"):
        config_of(file=file)
    assert config_of(file=file, optimiser__learning_rate=0.1).optimiser.learning_rate == 0.1
    with pytest.raises(UsageError, match=r"^--lr must be above 0 and finite, got -2"):
        config_of(file=None, optimiser__learning_rate=-2.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epcohs = 3", r"a.toml: epcohs is not known here; did you mean epochs\?"),
        (
            "[optimiser]\nclip_nor = 3",
            r"a.toml: optimiser.clip_nor is not known here; did you mean clip_norm\?",
        ),
        ("[optimizer]\nkind = 'sgd'", r"a.toml: optimizer is not known here; did you mean optimiser\?"),
        ("batch_size = true", r"a.toml: batch_size must be a whole number, got True"),
        ("seed = 2024-01-01", r"a.toml: seed must be a whole number, got .*\(date\)"),
        ("recipe = 'best'", "--recipe must be one of seed, strong, got 'best'"),
    ],
)
def test_new_config_what_the_file_gets_wrong_names_file_and_key(tmp_path, content, message):
    file = tmp_path / "a.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        config_of(file=file)


def resumed(run: Path, *, recipe=None, file=None, settings=(), allow_inexact=False, **flags) -> TrainConfig:
    values, _, _ = split_flags(flags)
    return resumed_config(run, values, tuple(settings), recipe, file, allow_inexact=allow_inexact)


def test_resumed_config_is_the_runs_own_with_other_epochs(stored_run):
    stored = resumed(stored_run)
    assert stored.network == UNetConfig(width=4, depth=2)
    again = resumed(stored_run, epochs=9, size="128x64", network__width=4, optimiser__learning_rate=1e-3, recipe="seed")
    assert again == replace(stored, epochs=9)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"optimiser__learning_rate": 0.5}, r"run: was started with --lr 0.001, --resume can't change it to 0.5"),
        ({"size": "64"}, "was started with --size 128x64, --resume can't change it to 64x64"),
        ({"batch_size": 4}, "was started with --batch-size 8, --resume can't change it to 4; .*--allow-inexact"),
        ({"network__name": "unet-fast"}, "was started with --network unet, --resume can't change it to unet-fast"),
        ({"colour": 0.5}, "was started with --colour 0.0, --resume can't change it to 0.5"),
        ({"settings": ["augmentation.noise=4"]}, "was started with --set augmentation.noise 0.0"),
        ({"recipe": "strong"}, "was started with --loss dice, --resume can't change it to dice"),
        ({"network__channels": [4]}, "is not a setting of the network unet"),
    ],
)
def test_resumed_config_what_contradicts_the_run_is_refused(stored_run, flags, message):
    with pytest.raises(UsageError, match=message):
        resumed(stored_run, **flags)


def test_resumed_config_takes_a_contradiction_where_inexact_is_allowed(stored_run):
    made = resumed(stored_run, batch_size=4, optimiser__learning_rate=0.5, allow_inexact=True)
    stored = resumed(stored_run)
    assert made == replace(stored, batch_size=4, optimiser=OptimiserConfig(learning_rate=0.5))


def test_resumed_config_of_no_run_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"last\.safetensors"):
        resumed(tmp_path)


def test_flags_reach_settings_that_exist():
    known = {key for key, _ in leaves(config_values(TrainConfig()))}
    for option in (each for options in SECTIONS.values() for each in options):
        key = option.name.replace("__", ".")
        if "." in key and not key.startswith(("fit.", "data.", "network.")):
            assert key in known, option.opts
            assert flag_of(key) == option.opts[0]
    assert flag_of("augmentation.min_scale") == "--scale"
    assert flag_of("augmentation.noise") == "--set augmentation.noise"
