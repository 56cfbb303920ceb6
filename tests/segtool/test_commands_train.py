"""`segtool train` as a command line: what reaches `fit`, with a stand-in for the training itself."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import trainer.loop
from segtool.__main__ import run
from segtool.train_flags import SECTIONS
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions


@pytest.fixture
def asked(monkeypatch):
    """What `fit` was called with; it trains nothing."""
    calls = []

    def fit(config, source, folder, options):
        calls.append(SimpleNamespace(config=config, source=source, folder=folder, options=options))
        return SimpleNamespace(main_process=False, interrupted_by=None)

    monkeypatch.setattr(trainer.loop, "fit", fit)
    return calls


def test_train_flags_reach_fit(asked, pairs_folder, tmp_path):
    out = tmp_path / "run"
    flags = (
        "--size 64 --epochs 2 --label-space cityscapes --unsure ignore --workers 0 --keep 2 --overfit 4 --scale 0.5,2"
    )
    assert run(["train", str(pairs_folder), "--out", str(out), *flags.split(), "--network", "unet-fast"]) == 0
    (call,) = asked
    assert (call.config.height_px, call.config.epochs, call.config.augmentation.min_scale) == (64, 2, 0.5)
    assert type(call.config.network).__name__ == "UNetFastConfig"
    assert (call.source.label_space.name, call.source.unsure) == ("cityscapes", "ignore")
    assert call.options == FitOptions(workers=0, keep=2, overfit=4, cache_mb=4096)
    assert call.folder == out


def test_train_help_shows_every_option_in_its_section(capsys):
    assert run(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for heading, options in SECTIONS.items():
        section = text.split(f"\n{heading}:\n")[1].split("\n\n")[0]
        assert [option.opts[0] for option in options if option.opts[0] not in section] == []
    assert text.index("--out RUN") < text.index("Data:")
    assert "Examples:" in text


def test_train_help_needs_no_torch(segtool_process):
    done = segtool_process("train", "--help", blocked=("torch", "accelerate", "safetensors", "numpy"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "--recipe" in done.stdout


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--network", "unet-fast", "--depth", "3"], "--depth is not a setting of the network unet-fast"),
        (["--scale", "half"], "expected numbers with commas"),
        (["--ema", "much"], "expected a number or none, got 'much'"),
        (["--unsure", "guess"], "--unsure"),
        (["--track", "paper"], "--track"),
        (["--allow-inexact"], "--allow-inexact is about how a run goes on, got it without --resume"),
        (["--freeze-encoder", "-1"], "--freeze-encoder must be 0 or more epochs, got -1"),
        (["--overfit", "0"], "--overfit must be 1 or more images, got 0"),
        (["--config", "absent.toml"], "absent.toml: expected a TOML file"),
    ],
)
def test_train_wrong_usage_gives_2_and_one_line(asked, pairs_folder, tmp_path, capsys, flags, told):
    assert run(["train", str(pairs_folder), "--out", str(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert asked == []


def test_train_into_the_data_set_is_refused(asked, pairs_folder, capsys):
    assert run(["train", str(pairs_folder), "--out", str(pairs_folder / "run")]) == 2
    assert "lies in the data set" in capsys.readouterr().err
    assert asked == []


def test_train_resume_opens_the_data_as_the_run_had_it(asked, pairs_folder, tmp_path):
    config = TrainConfig(height_px=64, width_px=64, network=UNetConfig(width=4, depth=2))
    record = {"config": config.to_dict(), "label_space": {"name": "cityscapes"}, "data": {"unsure": "nearest"}}
    save_checkpoint(tmp_path / "last.safetensors", Checkpoint(tensors={"a": torch.zeros(1)}, record=record))
    assert (
        run(["train", str(pairs_folder), "--out", str(tmp_path), "--resume", "--epochs", "40", "--workers", "0"]) == 0
    )
    (call,) = asked
    assert call.config == replace(config, epochs=40)
    assert call.options == FitOptions(workers=0, resume=True, cache_mb=4096)
    assert (call.source.label_space.name, call.source.unsure) == ("cityscapes", "nearest")


@pytest.mark.parametrize(("flag", "value"), [("--init", "runs/a"), ("--weights", "imagenet")])
def test_train_resume_with_weights_to_begin_with_is_refused(asked, pairs_folder, tmp_path, capsys, flag, value):
    assert run(["train", str(pairs_folder), "--out", str(tmp_path), "--resume", flag, value]) == 2
    assert f"{flag} is about how a run begins, got it with --resume" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("processes", "flags", "command"),
    [
        (1, [], "segtool train {data} --out {run} --resume"),
        (1, ["--overfit", "2"], "segtool train {data} --out {run} --resume --overfit 2"),
        (1, ["--keep", "3", "--cache-mb", "0"], "segtool train {data} --out {run} --resume --cache-mb 0 --keep 3"),
        (2, [], "accelerate launch --multi_gpu --num_processes 2 -m segtool train {data} --out {run} --resume"),
    ],
)
def test_train_interrupted_says_how_the_same_run_goes_on(
    monkeypatch, pairs_folder, tmp_path, capsys, processes, flags, command
):
    ended = SimpleNamespace(main_process=True, interrupted_by=2, processes=processes)
    monkeypatch.setattr(trainer.loop, "fit", lambda *_: ended)
    assert run(["train", str(pairs_folder), "--out", str(tmp_path / "run"), *flags]) == 130
    told = capsys.readouterr().err.splitlines()[0]
    assert told.endswith("go on with: " + command.format(data=pairs_folder, run=tmp_path / "run"))


@pytest.mark.parametrize(("best", "verdict"), [(0.93, "2 images learnt by heart\n"), (0.4, "not learnt by heart")])
def test_train_overfit_ends_with_a_verdict(monkeypatch, pairs_folder, tmp_path, capsys, best, verdict):
    progress = SimpleNamespace(best_mean_iou=best, best_epoch=1, epoch=1)
    ended = SimpleNamespace(main_process=True, interrupted_by=None, processes=1, progress=progress, epochs_trained=1)
    monkeypatch.setattr(trainer.loop, "fit", lambda *_: ended)
    assert run(["train", str(pairs_folder), "--out", str(tmp_path / "run"), "--overfit", "2"]) == 0
    assert verdict in capsys.readouterr().out


@pytest.mark.parametrize(("main_process", "printed"), [(True, "it fits\n"), (False, "")])
def test_train_dry_run_prints_one_report_and_trains_nothing(
    asked, monkeypatch, pairs_folder, tmp_path, capsys, main_process, printed
):
    tried = []

    def dry_run(config, source, options):
        tried.append((config.epochs, source.path, options.workers))
        return SimpleNamespace(text=lambda: "it fits", main_process=main_process)

    monkeypatch.setattr("trainer.dry_run.dry_run", dry_run)
    flags = ["--dry-run", "--epochs", "3", "--workers", "0"]
    assert run(["train", str(pairs_folder), "--out", str(tmp_path / "run"), *flags]) == 0
    assert tried == [(3, pairs_folder, 0)]
    assert capsys.readouterr().out == printed
    assert asked == []
