"""A number that is not finite: the step is left out and counted, and twenty in a row end the run."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import trainer.session
import trainer.steps
from runtime.errors import DivergedError
from trainer.checkpoint import MODEL, load_checkpoint
from trainer.data.dataset import open_dataset
from trainer.learning.optimise import OptimiserConfig
from trainer.loader import EpochSampler, ShareOfBatches, shares_of_step
from trainer.loop import fit
from trainer.networks.unet import UNetConfig
from trainer.session import Session
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.state import Progress

QUIET = FitOptions(panel_every=0)


def config(**changes: object) -> TrainConfig:
    settings = {
        "height_px": 32,
        "width_px": 32,
        "batch_size": 4,
        "epochs": 2,
        "precision": "no",
        "network": UNetConfig(width=2, depth=2),
    }
    return TrainConfig(**{**settings, **changes})


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the losses of some batches not finite, counted from 1."""

    def plant(bad: Callable[[int], bool], value: float = float("nan"), *, gradients: bool = True) -> None:
        count, honest = 0, trainer.steps.batch_loss

        def poisoned(session: Session, image_nhwc: torch.Tensor, truth_nhw: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += 1
            loss = honest(session, image_nhwc, truth_nhw)
            if not bad(count):
                return loss
            return loss * value if gradients else loss + value

        monkeypatch.setattr(trainer.steps, "batch_loss", poisoned)

    return plant


def history(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("value", "gradients"), [(float("nan"), True), (float("inf"), True), (float("inf"), False)])
def test_fit_bad_loss_is_skipped_and_counted(
    pairs: Path, tmp_path: Path, poison: Callable[..., None], value: float, gradients: bool
) -> None:
    poison(lambda count: count in (2, 5), value, gradients=gradients)
    fit(config(), open_dataset(pairs), tmp_path / "run", QUIET)
    assert [entry["skipped"] for entry in history(tmp_path / "run")] == [1, 1]
    assert all(entry["loss"] is not None for entry in history(tmp_path / "run"))


def test_fit_skipped_step_changes_nothing(pairs: Path, tmp_path: Path, poison: Callable[..., None]) -> None:
    poison(lambda count: count == 1)
    settings = config(epochs=1, batch_size=12, ema=0.9)  # one step
    fit(settings, open_dataset(pairs), tmp_path / "run", QUIET)
    torch.manual_seed(0)
    start = trainer.session.build_network(settings.network, 7).state_dict()
    kept = load_checkpoint(tmp_path / "run" / "last.safetensors").part(MODEL)
    assert [name for name in start if not torch.equal(start[name], kept[name]) and "num_batches" not in name] == []


def test_fit_finite_loss_with_bad_gradients_is_skipped(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = trainer.steps.batch_loss

    def steep(*arguments: object) -> torch.Tensor:
        loss = honest(*arguments)
        return loss + (loss - loss).abs().sqrt()  # the square root's slope at 0 is infinite; its value is 0

    monkeypatch.setattr(trainer.steps, "batch_loss", steep)
    fit(config(epochs=1), open_dataset(pairs), tmp_path / "run", QUIET)
    assert history(tmp_path / "run")[0]["skipped"] == 3


def test_fit_twenty_bad_steps_in_a_row_end_the_run_and_name_the_batch(
    pairs: Path, tmp_path: Path, poison: Callable[..., None]
) -> None:
    poison(lambda count: count > 5)
    with pytest.raises(DivergedError, match="the loss was nan in 20 steps in a row, the last in epoch 3") as caught:
        fit(config(epochs=9, batch_size=1), open_dataset(pairs), tmp_path / "run", QUIET)
    order = EpochSampler(count=12, seed=0, epoch=3).whole_epoch()
    name = open_dataset(pairs).splits["train"][order[0][1]]  # 5 good + 20 bad = 2 epochs of 12 and one more
    assert f"at images 1 to 1: {name}; " in str(caught.value)
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").record["epoch"] == 2


def test_fit_nineteen_bad_steps_and_a_good_one_go_on(pairs: Path, tmp_path: Path, poison: Callable[..., None]) -> None:
    poison(lambda count: count % 20 != 0)
    fit(config(epochs=4, batch_size=1), open_dataset(pairs), tmp_path / "run", QUIET)
    assert [entry["skipped"] for entry in history(tmp_path / "run")] == [12, 11, 12, 11]
    assert history(tmp_path / "run")[0]["loss"] is None


def test_fit_network_with_a_bad_weight_is_never_saved(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = trainer.session.build_network

    def broken(*arguments: object) -> torch.nn.Module:
        network = build(*arguments)
        with torch.no_grad():
            network.head.weight[0, 0] = float("nan")
        return network

    monkeypatch.setattr(trainer.session, "build_network", broken)
    with pytest.raises(DivergedError, match=r"model\.head\.weight holds a number that is not finite"):
        fit(config(), open_dataset(pairs), tmp_path / "run", QUIET)
    assert not (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_fit_absurd_learning_rate_ends_clearly_or_keeps_finite_numbers(pairs: Path, tmp_path: Path, kind: str) -> None:
    settings = config(epochs=12, optimiser=OptimiserConfig(kind=kind, learning_rate=1e6))
    with contextlib.suppress(DivergedError):
        fit(settings, open_dataset(pairs), tmp_path / "run", QUIET)
    tensors = load_checkpoint(tmp_path / "run" / "last.safetensors").tensors
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def test_fit_all_pixels_ignored_has_loss_zero(pairs: Path, tmp_path: Path) -> None:
    import shutil

    from PIL import Image

    copy = shutil.copytree(pairs, tmp_path / "copy")
    for file in (copy / "train").iterdir():
        Image.new("RGB", (128, 64)).save(file)  # black: void everywhere
    fit(config(epochs=1), open_dataset(copy), tmp_path / "run", QUIET)
    assert (history(tmp_path / "run")[0]["loss"], history(tmp_path / "run")[0]["skipped"]) == (0, 0)


@pytest.mark.parametrize("images", [1, 3, 8, 11, 16])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_of_step_every_image_counts_alike(images: int, processes: int) -> None:
    # a batch's loss is a mean over its images, so each of them counts share / images of that batch
    keys = EpochSampler(count=images, seed=1)
    total = dict.fromkeys(range(images), 0.0)
    for rank in range(processes):
        batches = list(ShareOfBatches(keys, 4, rank, processes))
        shares = shares_of_step(images, 4, rank, processes)
        assert len(shares) == len(batches) == len(ShareOfBatches(keys, 4, rank, processes))
        for batch, share in zip(batches, shares, strict=True):
            for _, index in batch:
                total[index] += share / len(batch)
    assert list(total.values()) == pytest.approx([1 / images] * images)


def test_progress_loss_is_the_mean_over_images_without_skipped_steps() -> None:
    progress = Progress()
    progress.count_step(4, 1.0, skipped=False)
    progress.count_step(4, float("nan"), skipped=True)
    progress.count_step(2, 0.4, skipped=False)
    assert progress.loss == pytest.approx((4 * 1.0 + 2 * 0.4) / 6)
    assert (progress.images_seen, progress.skipped, progress.skipped_in_row) == (10, 1, 0)
