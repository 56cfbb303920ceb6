import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import CheckpointError, DataError, DivergedError, UsageError
from trainer.checkpoint import MODEL, load_checkpoint
from trainer.config import TrainConfig
from trainer.data.dataset import open_dataset
from trainer.display import TrainDisplay
from trainer.evaluate import evaluate_run
from trainer.loop import fit
from trainer.networks.unet import UNetConfig


def config(**changes: object) -> TrainConfig:
    settings = {
        "height_px": 32,
        "width_px": 32,
        "batch_size": 4,
        "epochs": 2,
        "learning_rate": 1e-2,
        "precision": "no",
        "network": UNetConfig(width=4, depth=2),
    }
    return TrainConfig(**{**settings, **changes})


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_checkpoint(run / f"{name}.safetensors").part(MODEL)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def interrupt_after(monkeypatch: pytest.MonkeyPatch, steps: int, signal_number: int = signal.SIGINT) -> None:
    """Sends this process a signal when the display hears of the given step."""
    count = 0
    step = TrainDisplay.step

    def counted(self: TrainDisplay, *arguments: object) -> None:
        nonlocal count
        count += 1
        step(self, *arguments)
        if count == steps:
            os.kill(os.getpid(), signal_number)

    monkeypatch.setattr(TrainDisplay, "step", counted)


def test_fit_leaves_every_file_that_it_promises(pairs: Path, tmp_path: Path) -> None:
    result = fit(config(), open_dataset(pairs), tmp_path / "run")
    names = {file.relative_to(tmp_path / "run").as_posix() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert names == {
        *("last.safetensors", "last.json", "best.safetensors", "best.json"),
        *("config.json", "data.json", "summary.txt", "metrics.jsonl"),
        *("panels/augmented.png", "panels/epoch_001.png", "panels/epoch_002.png"),
    }
    assert result.progress.epoch == 2
    assert "UNet" in (tmp_path / "run" / "summary.txt").read_text()


def test_fit_metrics_have_each_figure_of_each_epoch(trained_run: Path) -> None:
    lines = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 17))
    assert lines[-1]["loss"] < lines[0]["loss"]
    iou = [value for value in lines[-1]["iou"].values() if value is not None]
    assert lines[-1]["mean_iou"] == pytest.approx(np.mean(iou))
    assert 0 < lines[-1]["pixel_accuracy"] <= 1


def test_fit_best_is_the_epoch_with_the_highest_mean_iou(pairs: Path, trained_run: Path) -> None:
    lines = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["mean_iou"])
    record = load_checkpoint(trained_run / "best.safetensors").record
    assert (record["epoch"], record["best_mean_iou"]) == (best["epoch"], best["mean_iou"])
    scores, _ = evaluate_run(trained_run, pairs)
    assert scores.mean_iou == pytest.approx(best["mean_iou"], abs=1e-3)  # read back, rebuilt and scored again


def test_fit_same_seed_same_weights_other_seed_other_weights(pairs: Path, tmp_path: Path) -> None:
    source = open_dataset(pairs)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(config(seed=seed, epochs=1), source, tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_fit_interrupted_and_resumed_ends_with_the_same_weights(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    source = open_dataset(pairs)
    fit(config(), source, tmp_path / "straight")
    with monkeypatch.context() as patch:
        interrupt_after(patch, steps)
        stopped = fit(config(), source, tmp_path / "stopped")
    assert stopped.interrupted_by == signal.SIGINT
    assert not same(weights(tmp_path / "straight"), weights(tmp_path / "stopped"))
    resumed = fit(config(), source, tmp_path / "stopped", resume=True)
    assert resumed.interrupted_by is None
    assert same(weights(tmp_path / "straight"), weights(tmp_path / "stopped"))
    lines = (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_fit_sigterm_saves_and_says_which_signal(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(monkeypatch, 2, signal.SIGTERM)
    assert fit(config(), open_dataset(pairs), tmp_path / "run").interrupted_by == signal.SIGTERM
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").record["images_seen"] == 8


def test_fit_more_epochs_on_resume_goes_on(pairs: Path, tmp_path: Path) -> None:
    source = open_dataset(pairs)
    fit(config(epochs=1), source, tmp_path / "run")
    assert fit(config(epochs=2), source, tmp_path / "run", resume=True).progress.epoch == 2


def test_fit_folder_with_a_run_is_refused(pairs: Path, trained_run: Path) -> None:
    before = (trained_run / "last.safetensors").read_bytes()
    with pytest.raises(UsageError, match=f"{trained_run.name}: holds a run already; go on with it by --resume"):
        fit(config(), open_dataset(pairs), trained_run)
    assert (trained_run / "last.safetensors").read_bytes() == before


def test_fit_resume_on_other_data_is_refused(pairs: Path, trained_run: Path, tmp_path: Path) -> None:
    import shutil

    other = shutil.copytree(pairs, tmp_path / "other")
    (other / "train" / "12.jpg").unlink()
    run = shutil.copytree(trained_run, tmp_path / "run")
    stored = TrainConfig.from_dict(json.loads((run / "config.json").read_text()), "config.json")
    with pytest.raises(CheckpointError, match="was trained on other data"):
        fit(stored, open_dataset(other), run, resume=True)


def test_fit_resume_without_a_checkpoint_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.safetensors: expected a checkpoint, found none"):
        fit(config(), open_dataset(pairs), tmp_path / "nothing", resume=True)


def test_fit_no_validation_frames_is_refused(pairs: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(pairs, tmp_path / "copy")
    for file in (copy / "val").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="val"):
        fit(config(), open_dataset(copy), tmp_path / "run")


def test_fit_diverging_stops_and_keeps_the_last_good_checkpoint(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trainer.loop

    calls = 0
    loss = trainer.loop.soft_dice_loss

    def poisoned(*arguments: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(*arguments) * (float("nan") if calls == 5 else 1.0)

    monkeypatch.setattr(trainer.loop, "soft_dice_loss", poisoned)
    with pytest.raises(DivergedError, match="the loss became nan in epoch 2, step 2"):
        fit(config(), open_dataset(pairs), tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").record["epoch"] == 1


def test_fit_bf16_on_cpu_trains_in_bf16_with_float32_weights(pairs: Path, tmp_path: Path) -> None:
    fit(config(precision="bf16", epochs=1), open_dataset(pairs), tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert checkpoint.record["precision"] == "bf16"
    assert {tensor.dtype for tensor in weights(tmp_path / "run").values()} == {torch.float32, torch.int64}


def test_fit_panel_every_zero_draws_no_epoch(pairs: Path, tmp_path: Path) -> None:
    fit(config(epochs=1), open_dataset(pairs), tmp_path / "run", panel_every=0)
    assert [file.name for file in (tmp_path / "run" / "panels").iterdir()] == ["augmented.png"]


def test_fit_validation_without_a_valid_pixel_is_refused(pairs: Path, tmp_path: Path) -> None:
    import shutil

    from PIL import Image

    copy = shutil.copytree(pairs, tmp_path / "copy")
    for file in (copy / "val").iterdir():
        Image.new("RGB", (128, 64)).save(file)  # black: void everywhere
    with pytest.raises(DataError, match="every pixel of its validation frames is ignored"):
        fit(config(), open_dataset(copy), tmp_path / "run")


def test_fit_resumed_rewrites_settings_and_scores(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(config(epochs=1), open_dataset(pairs), run)
    (run / "metrics.jsonl").unlink()  # as if killed between checkpoint and scores
    fit(config(epochs=2), open_dataset(pairs), run, resume=True)
    assert json.loads((run / "config.json").read_text())["epochs"] == 2
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


def test_evaluate_run_absent_split_is_named(pairs: Path, trained_run: Path) -> None:
    with pytest.raises(DataError, match="has no frames in split 'test'"):
        evaluate_run(trained_run, pairs, "test")
