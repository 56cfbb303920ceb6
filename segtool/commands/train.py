"""`segtool train`: flags to a configuration, one call, the paths of what came out."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segtool.console import say
from segtool.sections import SectionedCommand
from segtool.train_flags import SECTIONS

if TYPE_CHECKING:
    from trainer.data.dataset import Dataset
    from trainer.loop import FitResult
    from trainer.settings.fit_options import FitOptions

EXAMPLES = """\b
Examples:
  segtool train cityscapes_pairs.zip --out runs/a
  segtool train cityscapes_pairs.zip --out runs/a --resume
  segtool train camvid.zip --out runs/b --size 480x352 --recipe strong
  segtool train DATA --out runs/c --network encoder-unet --encoder resnet18 --weights imagenet --freeze-encoder 2
  segtool train DATA --out runs/d --config runs/a/config.toml --lr 5e-4 --set augmentation.noise=4
  segtool train DATA --out runs/e --network unet-fast --dry-run
  accelerate launch --multi_gpu --num_processes 2 -m segtool train DATA --out runs/f

Flags win over --config, --config over --recipe; each run leaves all of its settings in RUN/config.toml. A setting
that a flag, a file or a recipe does not name has the recipe seed's value."""


CACHE_MB = 4096


@click.command(cls=SectionedCommand, epilog=EXAMPLES, short_help="Fit a network to a data set.")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", "run", required=True, type=click.Path(path_type=Path), metavar="RUN", help="The run's folder.")
def train(
    *,
    data: Path,
    run: Path,
    resume: bool,
    dry_run: bool,
    recipe: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    **flags: Any,  # noqa: ANN401 (the rest of the options, by the names that segtool.train_flags explains)
) -> None:
    """Fit a network to DATA (a folder or a .zip): checkpoints, metrics.jsonl, settings and panels in RUN."""
    from segtool.train_settings import new_config, resumed_config, split_flags
    from trainer.loop import fit
    from trainer.settings.fit_options import FitOptions

    values, fit_values, data_values = split_flags(flags)
    options = FitOptions(**{"workers": _default_workers(), "cache_mb": CACHE_MB, **fit_values, "resume": resume})
    if resume:
        inexact = options.allow_inexact
        settled = resumed_config(run, values, settings, recipe, config, allow_inexact=inexact)
    else:
        _require_no_resume(options)
        settled = new_config(values, settings, recipe, config)
    _require_apart(run, data)
    source = _open_data(data, run, data_values, resume=resume)
    if dry_run:
        from trainer.dry_run import dry_run as try_out

        report = try_out(settled, source, options)
        if report.main_process:
            say(report.text())
        return
    result = fit(settled, source, run, options)
    if result.main_process:
        _report(result, data, run, options)
    if result.interrupted_by is not None:
        raise click.exceptions.Exit(128 + result.interrupted_by)


train.sections = SECTIONS


def _report(result: "FitResult", data: Path, run: Path, options: "FitOptions") -> None:
    if result.interrupted_by is not None:
        # without --multi_gpu, Accelerate starts a single process where it finds fewer than two GPUs
        launch = ["accelerate", "launch", "--multi_gpu", "--num_processes", str(result.processes), "-m"]
        start = launch if result.processes > 1 else []
        same = [word for flag, value in _carried(options).items() for word in (flag, str(value))]
        command = shlex.join([*start, "segtool", "train", str(data), "--out", str(run), "--resume", *same])
        click.echo(f"interrupted, the state is saved in {run / 'last.safetensors'}; go on with: {command}", err=True)
        return
    progress = result.progress
    if result.epochs_trained == 0:
        say(f"all {progress.epoch} epochs were done already; to go on: --resume --epochs {2 * progress.epoch}")
    say(f"best mean IoU {progress.best_mean_iou:.4f} in epoch {progress.best_epoch} of {progress.epoch}")
    if options.overfit is not None:
        from trainer.overfit import LEARNT

        learnt = progress.best_mean_iou >= LEARNT
        verdict = (
            "learnt by heart" if learnt else f"not learnt by heart (mean IoU {LEARNT}): try more --epochs, then look"
        )
        say(f"{options.overfit} images {verdict}{'' if learnt else ' at labels, network and learning rate'}")
    say(f"checkpoints   {run / 'best.safetensors'}, {run / 'last.safetensors'}")
    say(f"scores        {run / 'metrics.jsonl'}")
    say(f"pictures      {run / 'panels'}")
    say(f"next          {shlex.join(['segtool', 'export', str(run), '--fp16'])}")


def _carried(options: "FitOptions") -> dict[str, object]:
    """How the run was carried out, where not as usual; its settings stand in the checkpoint, this does not."""
    usual = type(options)(workers=_default_workers(), cache_mb=CACHE_MB)
    flags = {
        "--overfit": "overfit",
        "--workers": "workers",
        "--worker-timeout": "worker_timeout_s",
        "--cache-mb": "cache_mb",
        "--panel-every": "panel_every",
        "--keep": "keep",
        "--track": "track",
    }
    values = {flag: (getattr(options, name), getattr(usual, name)) for flag, name in flags.items()}
    return {flag: value for flag, (value, default) in values.items() if value != default}


def _require_no_resume(options: "FitOptions") -> None:
    from runtime.errors import UsageError

    if options.allow_inexact:
        raise UsageError("--allow-inexact is about how a run goes on, got it without --resume; leave it out")


def _require_apart(run: Path, data: Path) -> None:
    """Refuses to write a run into the data set.

    Raises:
        UsageError: RUN is DATA or lies in it.
    """
    from runtime.errors import UsageError

    if data.is_dir() and run.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"--out {run}: lies in the data set {data}, expected a folder of its own; give another --out")


def _open_data(data: Path, run: Path, asked: dict[str, Any], *, resume: bool) -> "Dataset":
    """The data set; a resumed run's as it was opened then, where the flags do not say otherwise."""
    from trainer.checkpoint import load_checkpoint
    from trainer.data.dataset import open_dataset
    from trainer.data.label_space import NAMES
    from trainer.run_folder import RunFolder

    if resume:
        record = load_checkpoint(RunFolder(run).last).record
        space, unsure = record["label_space"]["name"], record["data"]["unsure"]
        # a label space of another name is the data's own
        asked = {"label_space": space if space in NAMES else None, "unsure": unsure, **asked}
    return open_dataset(data, **asked)


def _default_workers() -> int:
    from benchmarks.machine import usable_cores

    return min(usable_cores() or 1, 8)
