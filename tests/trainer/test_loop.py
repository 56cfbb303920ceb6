import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import DataError, UsageError
from trainer.checkpoint import MODEL, load_checkpoint
from trainer.data.dataset import open_dataset
from trainer.evaluate import evaluate_run, open_run
from trainer.learning.optimise import OptimiserConfig
from trainer.loop import fit
from trainer.networks.catalogue import build_network
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.unet import UNetConfig
from trainer.session import Session
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.steps import StepResult


def config(**changes: object) -> TrainConfig:
    settings = {
        "height_px": 32,
        "width_px": 32,
        "batch_size": 4,
        "epochs": 2,
        "optimiser": OptimiserConfig(learning_rate=1e-2),
        "precision": "no",
        "network": UNetConfig(width=4, depth=2),
    }
    return TrainConfig(**{**settings, **changes})


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_checkpoint(run / f"{name}.safetensors").part(MODEL)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_fit_leaves_every_file_that_it_promises(pairs: Path, tmp_path: Path) -> None:
    result = fit(config(), open_dataset(pairs), tmp_path / "run")
    names = {file.relative_to(tmp_path / "run").as_posix() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert names == {
        *("last.safetensors", "last.json", "best.safetensors", "best.json"),
        *("config.json", "config.toml", "data.json", "summary.txt", "metrics.jsonl"),
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
    scores = evaluate_run(*open_run(trained_run, pairs)).scores()
    assert scores.mean_iou == pytest.approx(best["mean_iou"], abs=1e-3)  # read back, rebuilt and scored again


def test_fit_same_seed_same_weights_other_seed_other_weights(pairs: Path, tmp_path: Path) -> None:
    source = open_dataset(pairs)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(config(seed=seed, epochs=1), source, tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_fit_more_epochs_on_resume_goes_on(pairs: Path, tmp_path: Path) -> None:
    source = open_dataset(pairs)
    fit(config(epochs=1), source, tmp_path / "run")
    assert fit(config(epochs=2), source, tmp_path / "run", FitOptions(resume=True)).progress.epoch == 2


def test_fit_folder_with_a_run_is_refused(pairs: Path, trained_run: Path) -> None:
    before = (trained_run / "last.safetensors").read_bytes()
    with pytest.raises(UsageError, match=f"{trained_run.name}: holds a run already; go on with it by --resume"):
        fit(config(), open_dataset(pairs), trained_run)
    assert (trained_run / "last.safetensors").read_bytes() == before


def test_fit_no_validation_frames_is_refused(pairs: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(pairs, tmp_path / "copy")
    for file in (copy / "val").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="val"):
        fit(config(), open_dataset(copy), tmp_path / "run")


def test_fit_bf16_on_cpu_trains_in_bf16_with_float32_weights(pairs: Path, tmp_path: Path) -> None:
    fit(config(precision="bf16", epochs=1), open_dataset(pairs), tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert checkpoint.record["precision"] == "bf16"
    assert {tensor.dtype for tensor in weights(tmp_path / "run").values()} == {torch.float32, torch.int64}


def test_fit_panel_every_zero_draws_no_epoch(pairs: Path, tmp_path: Path) -> None:
    fit(config(epochs=1), open_dataset(pairs), tmp_path / "run", FitOptions(panel_every=0))
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
    fit(config(epochs=2), open_dataset(pairs), run, FitOptions(resume=True))
    assert json.loads((run / "config.json").read_text())["epochs"] == 2
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


def test_fit_overfit_learns_a_few_images_by_heart(pairs: Path, tmp_path: Path) -> None:
    settings = config(epochs=13, batch_size=1, network=UNetConfig(width=8, depth=2))
    result = fit(settings, open_dataset(pairs), tmp_path / "run", FitOptions(overfit=2, panel_every=0))
    assert result.progress.best_mean_iou > 0.95
    record = load_checkpoint(tmp_path / "run" / "last.safetensors").record
    assert record["data"]["frames"] == {"train": 2, "val": 2}
    assert record["images_seen"] == 0
    assert len(result.progress.history) == 13  # of 16 steps, not of 2
    assert (record["config"]["augmentation"]["crop"], record["config"]["augmentation"]["flip"]) == (0, 0)


def test_fit_overfit_on_more_images_than_there_are_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--overfit 13: .* has 12 training frames"):
        fit(config(), open_dataset(pairs), tmp_path / "run", FitOptions(overfit=13))


def test_fit_overfit_beside_a_limit_is_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--overfit 2 says how many images, got --limit 5 too"):
        fit(config(limit=5), open_dataset(pairs), tmp_path / "run", FitOptions(overfit=2))
    assert not (tmp_path / "run").exists()


def test_fit_average_is_what_best_holds_and_validation_scored(pairs: Path, tmp_path: Path) -> None:
    fit(config(epochs=1, ema=0.5), open_dataset(pairs), tmp_path / "run")
    last = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert not same(last.part(MODEL), last.validated())
    assert same(weights(tmp_path / "run", "best"), last.validated())
    scores = evaluate_run(*open_run(tmp_path / "run", pairs)).scores()
    assert scores.mean_iou == last.record["best_mean_iou"]


def test_fit_average_is_the_formula_over_the_weights_of_every_step(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trainer.loop

    seen = []
    step = trainer.loop.train_step

    def kept(session: Session, *arguments: object) -> StepResult:
        result = step(session, *arguments)
        seen.append(session.plain.state_dict()["head.weight"].double().clone())
        return result

    monkeypatch.setattr(trainer.loop, "train_step", kept)
    fit(config(ema=0.3), open_dataset(pairs), tmp_path / "run")
    expected = seen[0]
    for decay, value in zip((2 / 11, 3 / 12, 0.3, 0.3, 0.3), seen[1:], strict=True):  # 4 / 13 is more than 0.3
        expected = decay * expected + (1 - decay) * value
    average = load_checkpoint(tmp_path / "run" / "last.safetensors").validated()["head.weight"]
    assert len(seen) == 6
    assert torch.allclose(average.double(), expected, atol=1e-6)


def test_fit_accumulated_batches_are_one_step_over_all_their_images(pairs: Path, tmp_path: Path) -> None:
    # cross entropy over frames of one size is a mean of means, and without batch norm no image sees another
    from trainer.learning.losses import LossConfig

    parts = {
        "loss": LossConfig(kind="cross-entropy"),
        "epochs": 1,
        "optimiser": OptimiserConfig(kind="sgd", learning_rate=0.1),
    }
    source = open_dataset(pairs)
    fit(config(batch_size=6, **parts), source, tmp_path / "whole")
    fit(config(batch_size=3, accumulate=2, **parts), source, tmp_path / "parts")
    whole, accumulated = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    steps = [load_checkpoint(tmp_path / name / "last.safetensors").record["history"][0] for name in ("whole", "parts")]
    assert steps[0]["loss"] == pytest.approx(steps[1]["loss"], rel=0.05)
    # the norms see three images instead of six, so the weights are near each other and not the same
    assert torch.allclose(whole["head.bias"], accumulated["head.bias"], atol=0.02)


def test_fit_gradients_are_clipped_to_the_norm(pairs: Path, tmp_path: Path) -> None:
    source = open_dataset(pairs)
    optimiser = OptimiserConfig(kind="sgd", learning_rate=1.0, clip_norm=1e-3)
    fit(config(epochs=1, batch_size=12, optimiser=optimiser), source, tmp_path / "run")  # one step
    torch.manual_seed(0)
    start = build_network(config().network, 7).state_dict()
    moved = [
        weights(tmp_path / "run")[name] - start[name]
        for name, _ in build_network(config().network, 7).named_parameters()
    ]
    assert torch.cat([each.flatten() for each in moved]).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_fit_class_weights_come_from_the_data_and_stay_in_the_record(pairs: Path, tmp_path: Path) -> None:
    from trainer.learning.losses import LossConfig

    loss = LossConfig(kind="cross-entropy", class_weights="log")
    fit(config(epochs=1, loss=loss), open_dataset(pairs), tmp_path / "run")
    shares = load_checkpoint(tmp_path / "run" / "last.safetensors").record["class_shares"]
    assert len(shares) == 7
    assert sum(shares) == pytest.approx(1)


def test_fit_keeps_best_last_and_the_newest_past_epochs(pairs: Path, tmp_path: Path) -> None:
    fit(config(epochs=4), open_dataset(pairs), tmp_path / "run", FitOptions(keep=2, panel_every=0))
    names = {file.name for file in (tmp_path / "run").glob("*.safetensors")}
    assert names == {"best.safetensors", "last.safetensors", "epoch_003.safetensors", "epoch_004.safetensors"}
    assert load_checkpoint(tmp_path / "run" / "epoch_003.safetensors").record["epoch"] == 3
    assert {file.name for file in (tmp_path / "run").glob("epoch_*.json")} == {"epoch_003.json", "epoch_004.json"}


def test_fit_frozen_encoder_keeps_its_weights_then_learns(
    pairs: Path, tmp_path: Path, encoder_network: Callable[[], torch.nn.Module]
) -> None:
    source = open_dataset(pairs)
    settings = {"freeze_encoder_epochs": 1, "network": EncoderUNetConfig(width=2), "height_px": 64, "width_px": 64}
    fit(config(epochs=1, **settings), source, tmp_path / "run")
    torch.manual_seed(0)
    start = encoder_network().state_dict()
    frozen = weights(tmp_path / "run")
    assert torch.equal(frozen["encoder.0.weight"], start["encoder.0.weight"])
    assert torch.equal(frozen["encoder.1.running_mean"], start["encoder.1.running_mean"])
    assert not torch.equal(frozen["head.weight"], start["head.weight"])
    fit(config(epochs=2, **settings), source, tmp_path / "run", FitOptions(resume=True))
    assert not torch.equal(weights(tmp_path / "run")["encoder.0.weight"], start["encoder.0.weight"])


def test_fit_frozen_encoder_of_a_plain_unet_is_its_way_down(pairs: Path, trained_run: Path, tmp_path: Path) -> None:
    settings = config(epochs=1, network=UNetConfig(width=8, depth=2), freeze_encoder_epochs=1)
    fit(settings, open_dataset(pairs), tmp_path / "run", FitOptions(init=trained_run))
    before, after = weights(trained_run, "best"), weights(tmp_path / "run")
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if name.startswith(("stem.", "down."))}


def test_fit_init_with_another_head_says_what_is_made_anew(
    pairs: Path, trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(epochs=1, network=UNetConfig(width=8, depth=2))
    fit(settings, open_dataset(pairs, "cityscapes"), tmp_path / "run", FitOptions(init=trained_run))
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("started from"))
    assert line.startswith(f"started from {trained_run.name}/best.safetensors: ")
    assert line.endswith("; made anew: head.weight, head.bias")


def test_fit_init_starts_from_another_runs_weights(pairs: Path, trained_run: Path, tmp_path: Path) -> None:
    settings = config(epochs=1, network=UNetConfig(width=8, depth=2), optimiser=OptimiserConfig(learning_rate=1e-9))
    fit(settings, open_dataset(pairs), tmp_path / "run", FitOptions(init=trained_run))
    assert torch.allclose(
        weights(tmp_path / "run")["head.weight"], weights(trained_run, "best")["head.weight"], atol=1e-6
    )
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").record["started_from"][0]["anew"] == []


def test_evaluate_run_absent_split_is_named(pairs: Path, trained_run: Path) -> None:
    with pytest.raises(DataError, match="has no frames in split 'test'"):
        evaluate_run(*open_run(trained_run, pairs), "test")
