"""Stopped anywhere and resumed, a run is the run that never stopped; anything that would change it is refused."""

import json
import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError, UsageError
from trainer.checkpoint import load_checkpoint
from trainer.data.dataset import open_dataset
from trainer.display import TrainDisplay
from trainer.learning.losses import LossConfig
from trainer.learning.optimise import OptimiserConfig
from trainer.learning.schedule import ScheduleConfig
from trainer.loop import fit
from trainer.networks.catalogue import NETWORK_NAMES, network_from_dict
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.unet import UNetConfig
from trainer.resume import settle_differences
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions

QUIET = FitOptions(panel_every=0)
RESUME = FitOptions(panel_every=0, resume=True)


def config(**changes: object) -> TrainConfig:
    """12 images by 2 make 6 steps an epoch."""
    settings = {
        "height_px": 32,
        "width_px": 32,
        "batch_size": 2,
        "epochs": 4,
        "optimiser": OptimiserConfig(learning_rate=1e-2),
        "precision": "no",
        "network": UNetConfig(width=2, depth=2),
    }
    return TrainConfig(**{**settings, **changes})


EVERYTHING = config(
    height_px=64,
    width_px=64,
    network=EncoderUNetConfig(width=2),  # the fixture puts a smaller one in its place
    batch_size=1,
    accumulate=2,
    ema=0.9,
    freeze_encoder_epochs=1,
    optimiser=OptimiserConfig(kind="adamw", learning_rate=1e-2, weight_decay=0.01, clip_norm=1.0, encoder_rate=0.5),
    schedule=ScheduleConfig(kind="one-cycle", warm_up=0.2),
    loss=LossConfig(kind="dice+ohem", class_weights="log", label_smoothing=0.1),
)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int = signal.SIGINT) -> None:
    """Sends this process a signal once so many steps are done; the loop hears of it in the step after."""
    count, step = 0, TrainDisplay.step

    def counted(self: TrainDisplay, *arguments: object) -> None:
        nonlocal count
        count += 1
        step(self, *arguments)
        if count == steps:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(TrainDisplay, "step", counted)


def same_tensors(first: Path, second: Path) -> bool:
    one, other = (load_checkpoint(run / "last.safetensors").tensors for run in (first, second))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def stops_end_with_the_same_bytes(
    pairs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: TrainConfig, steps: list[int]
) -> None:
    source = open_dataset(pairs)
    fit(settings, source, folder / "straight", QUIET)
    for number in steps:
        run = folder / f"stopped{number}"
        with monkeypatch.context() as patch:
            stop_after(patch, number)
            assert fit(settings, source, run, QUIET).interrupted_by == signal.SIGINT
        assert not same_tensors(folder / "straight", run)
        fit(settings, source, run, RESUME)
        assert same_tensors(folder / "straight", run), f"stopped after step {number}"
        assert losses(run) == losses(folder / "straight")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [config(), EVERYTHING], ids=["plain", "everything"])
def test_fit_stopped_at_20_random_steps_and_resumed_ends_with_the_same_bytes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder_network: object, settings: TrainConfig
) -> None:
    steps = random.Random(7).sample(range(1, 6 * settings.epochs - 1), 20)  # noqa: S311
    stops_end_with_the_same_bytes(pairs, tmp_path, monkeypatch, settings, steps)


@pytest.mark.parametrize("step", [2, 6, 15])
def test_fit_with_everything_on_stopped_and_resumed_ends_with_the_same_bytes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder_network: object, step: int
) -> None:
    stops_end_with_the_same_bytes(pairs, tmp_path, monkeypatch, EVERYTHING, [step])


@pytest.mark.parametrize("step", [1, 5, 9])
def test_fit_stopped_and_resumed_ends_with_the_same_bytes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    stops_end_with_the_same_bytes(pairs, tmp_path, monkeypatch, config(epochs=2), [step])


def test_fit_stopped_again_and_again_ends_with_the_same_bytes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder_network: object
) -> None:
    source = open_dataset(pairs)
    fit(EVERYTHING, source, tmp_path / "straight", QUIET)
    options, sittings = QUIET, 0
    while sittings == 0 or options is RESUME:
        with monkeypatch.context() as patch:
            stop_after(patch, 6)
            result = fit(EVERYTHING, source, tmp_path / "pieces", options)
        options, sittings = (RESUME if result.interrupted_by else QUIET), sittings + 1
    assert sittings == 4
    assert same_tensors(tmp_path / "straight", tmp_path / "pieces")


@pytest.mark.parametrize("name", [name for name in NETWORK_NAMES if name != "deeplabv3"])  # it has no small shape
def test_fit_each_network_is_resumed_by_the_settings_that_it_stored(pairs: Path, tmp_path: Path, name: str) -> None:
    shape = {"unet": {"width": 2}, "unet-fast": {"channels": [4, 4], "blocks": [0, 1]}}.get(name, {"width": 2})
    settings = config(height_px=64, width_px=64, epochs=1, network=network_from_dict({"name": name, **shape}))
    source, run = open_dataset(pairs), tmp_path / "run"
    fit(settings, source, run, replace(QUIET, overfit=2))
    stored = RunFolder(run).stored_config()
    assert stored == replace(settings, augmentation=stored.augmentation)
    again = fit(replace(settings, epochs=2), source, run, replace(RESUME, overfit=2))
    assert (again.progress.epoch, again.epochs_trained) == (2, 1)


def test_fit_resumed_for_fewer_epochs_than_it_has_is_refused(pairs: Path, tmp_path: Path) -> None:
    source, run = open_dataset(pairs), tmp_path / "run"
    fit(config(epochs=2), source, run, QUIET)
    with pytest.raises(UsageError, match=r"--epochs 1: .*last\.safetensors has 2 epochs behind it"):
        fit(config(epochs=1), source, run, RESUME)
    assert json.loads((run / "config.json").read_text())["epochs"] == 2
    assert fit(config(epochs=2), source, run, RESUME).epochs_trained == 0


def test_fit_network_with_dropout_resumes_exactly(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trainer.session

    build = trainer.session.build_network

    def with_dropout(*arguments: object) -> torch.nn.Module:
        network = build(*arguments)
        network.pool = torch.nn.Sequential(torch.nn.MaxPool2d(2), torch.nn.Dropout(0.5))
        return network

    monkeypatch.setattr(trainer.session, "build_network", with_dropout)
    source = open_dataset(pairs)
    fit(config(epochs=1), source, tmp_path / "straight", QUIET)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        fit(config(epochs=1), source, tmp_path / "stopped", QUIET)
    torch.rand(5)  # whatever happened to the process's own random state
    fit(config(epochs=1), source, tmp_path / "stopped", RESUME)
    assert same_tensors(tmp_path / "straight", tmp_path / "stopped")


def test_fit_sigterm_saves_and_says_which_signal(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, 1, signal.SIGTERM)
    assert fit(config(), open_dataset(pairs), tmp_path / "run", QUIET).interrupted_by == signal.SIGTERM
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").record["images_seen"] == 4


@pytest.fixture(scope="module")
def short_run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("short") / "run"
    fit(config(epochs=1), open_dataset(pairs), run, QUIET)
    return run


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 4}, "was trained with batch_size 2, now 4, so the resume would not be exact"),
        ({"accumulate": 3}, "accumulate 1, now 3"),
        ({"seed": 5}, "seed 0, now 5"),
        ({"optimiser": OptimiserConfig(learning_rate=0.5)}, r"optimiser\.learning_rate 0\.01, now 0\.5"),
        ({"loss": LossConfig(kind="cross-entropy")}, r"loss\.kind dice, now cross-entropy"),
    ],
)
def test_fit_resume_with_another_setting_is_refused_unless_allowed(
    pairs: Path, short_run: Path, tmp_path: Path, change: dict, message: str
) -> None:
    run, source = shutil.copytree(short_run, tmp_path / "run"), open_dataset(pairs)
    changed = config(epochs=2, **change)
    with pytest.raises(CheckpointError, match=message):
        fit(changed, source, run, RESUME)
    assert load_checkpoint(run / "last.safetensors").record["epoch"] == 1
    fit(changed, source, run, replace(RESUME, allow_inexact=True))
    record = load_checkpoint(run / "last.safetensors").record
    assert record["epoch"] == 2
    assert [text.partition(":")[0] for text in record["inexact"]] == ["from epoch 2, image 1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": UNetConfig(width=4, depth=2)}, r"network\.width 2, now 4, which its weights can't follow"),
        ({"optimiser": OptimiserConfig(kind="sgd", learning_rate=1e-2)}, r"optimiser\.kind adam, now sgd"),
    ],
)
def test_fit_resume_that_the_weights_can_not_follow_is_refused_even_if_allowed(
    pairs: Path, short_run: Path, tmp_path: Path, change: dict, message: str
) -> None:
    run = shutil.copytree(short_run, tmp_path / "run")
    with pytest.raises(CheckpointError, match=message):
        fit(config(**change), open_dataset(pairs), run, replace(RESUME, allow_inexact=True))


def test_fit_resume_on_other_data_is_refused_and_on_a_renamed_folder_is_not(
    pairs: Path, short_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(short_run, tmp_path / "run")
    other = shutil.copytree(pairs, tmp_path / "other")
    fit(config(epochs=1), open_dataset(other), run, RESUME)
    (other / "train" / "12.jpg").unlink()
    with pytest.raises(CheckpointError, match=r"was trained with other data \(.*, SHA-256 \w{12}, now other, SHA-256"):
        fit(config(epochs=2), open_dataset(other), run, RESUME)


def test_fit_resume_without_a_checkpoint_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.safetensors: expected a checkpoint, found none"):
        fit(config(), open_dataset(pairs), tmp_path / "nothing", RESUME)


def test_settle_differences_another_number_of_processes_is_refused(short_run: Path) -> None:
    record = load_checkpoint(short_run / "last.safetensors").record
    with pytest.raises(CheckpointError, match="processes 1, now 2"):
        settle_differences(record, {**record, "processes": 2}, "here", allow_inexact=False)
    assert settle_differences(record, {**record, "processes": 2}, "here", allow_inexact=True) == ["processes 1, now 2"]
    assert settle_differences(record, record, "here", allow_inexact=False) == []
