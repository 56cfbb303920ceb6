import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from runtime.errors import DataError
from trainer.data.dataset import open_dataset
from trainer.dry_run import DryRunReport, dry_run
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions


def config(**changes: object) -> TrainConfig:
    settings = {
        "height_px": 32,
        "width_px": 32,
        "batch_size": 4,
        "precision": "no",
        "network": UNetConfig(width=2, depth=2),
    }
    return TrainConfig(**{**settings, **changes})


def test_dry_run_goes_through_every_part_and_leaves_nothing(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = dry_run(config(ema=0.9), open_dataset(pairs), FitOptions(workers=1))
    assert list(report.seconds) == ["read", "forward", "backward", "validate", "save"]
    assert min(*report.seconds.values(), report.step_s, report.images_per_s, report.run_s) > 0
    assert report.memory_mb > 50
    assert 0 < report.loss < 1
    assert report.without_gradient == ()
    assert list(tmp_path.iterdir()) == []


def test_dry_run_names_the_parameters_that_the_loss_does_not_reach(
    pairs: Path, encoder_network: Callable[[], torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_idle_part(*arguments: object) -> torch.nn.Module:
        network = encoder_network()
        network.idle = torch.nn.Linear(2, 1)
        return network

    monkeypatch.setattr("trainer.session.build_network", with_idle_part)
    settings = config(freeze_encoder_epochs=1, network=EncoderUNetConfig(width=2), height_px=64, width_px=64)
    report = dry_run(settings, open_dataset(pairs))
    assert report.without_gradient == ("idle.weight", "idle.bias")
    assert "get no gradient: idle.weight, idle.bias" in report.text()


def test_dry_run_report_text_is_as_written_here() -> None:
    report = DryRunReport(
        seconds={"read": 0.5, "save": 0.01},
        step_s=0.2,
        images_per_s=40.0,
        run_s=600.0,
        memory_mb=512.4,
        loss=0.75,
        without_gradient=(),
    )
    assert report.text().splitlines() == [
        "read             500.0 ms",
        "save              10.0 ms",
        "step             200.0 ms, without reading; loss 0.7500",
        "memory             512 MB at most so far",
        "speed             40.0 images/s, the whole run about 10 min",
        "parameters that get no gradient: none",
    ]


def test_dry_run_interrupted_ends_at_once_and_leaves_nothing(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("trainer.dry_run.save", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    # a shell starts what runs in the background with Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            dry_run(config(), open_dataset(pairs))
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []


def test_dry_run_estimates_validation_by_the_frames_of_its_own_batch(
    pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # every part takes 1 s by this clock; 12 training images in one batch, 4 validation frames in another
    ticks = itertools.count()
    monkeypatch.setattr("trainer.dry_run.time.perf_counter", lambda: float(next(ticks)))
    report = dry_run(config(batch_size=12, epochs=1), open_dataset(pairs))
    assert report.run_s == 1 + 1 + 1 + 1  # reading and a step, validation, saving


def test_dry_run_bad_frame_is_named(pairs: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(pairs, tmp_path / "copy")
    for file in (copy / "train").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"\.jpg"):
        dry_run(config(), open_dataset(copy))
