"""`segtool train`: flags to a configuration, one call, the paths of what came out."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from segtool.console import say

if TYPE_CHECKING:
    from trainer.config import TrainConfig
    from trainer.loop import FitResult

EXAMPLES = """\b
Examples:
  segtool train cityscapes_pairs.zip --out runs/a
  segtool train cityscapes_pairs.zip --out runs/a --size 128 --label-space cityscapes
  segtool train cityscapes_pairs.zip --out runs/a --resume
  accelerate launch --num_processes 2 -m segtool train cityscapes_pairs.zip --out runs/b"""

# what may change between the parts of one run; all else decides what its weights become
FREE_ON_RESUME = {"epochs"}
FLAGS = {"learning_rate": "lr"}  # where a parameter's flag has another name


def parse_size(text: str) -> tuple[int, int]:
    """Reads "256" or "512x256" (WIDTHxHEIGHT) as height and width in pixels.

    Raises:
        UsageError: the text is neither.
    """
    from runtime.errors import UsageError

    parts = text.lower().split("x")
    if len(parts) in (1, 2) and all(part.isascii() and part.isdigit() for part in parts):
        return int(parts[-1]), int(parts[0])
    raise UsageError(f"--size must be a number or WIDTHxHEIGHT, got {text!r}; for example 256 or 512x256")


@click.command(epilog=EXAMPLES, short_help="Fit a U-Net to a data set.")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", "run", required=True, type=click.Path(path_type=Path), metavar="RUN", help="The run's folder.")
@click.option(
    "--label-space",
    type=click.Choice(["categories", "cityscapes", "names"]),
    default="categories",
    show_default=True,
    help="7 categories, the 19 evaluated classes, or every name that a colour tells apart.",
)
@click.option("--size", default="256", show_default=True, help="The network's input: 256, 128 or WIDTHxHEIGHT.")
@click.option("--epochs", type=int, default=15, show_default=True, help="With --resume: the new total.")
@click.option("--batch-size", type=int, default=8, show_default=True, help="Images per step and process.")
@click.option(
    "--lr", "learning_rate", type=float, default=1e-3, show_default=True, help="Adam's learning rate at the start."
)
@click.option(
    "--schedule",
    type=click.Choice(["cooldown", "constant"]),
    default="cooldown",
    show_default=True,
    help="cooldown: the learning rate falls to 0 over the last 40 % of the run.",
)
@click.option("--width", type=int, default=16, show_default=True, help="Channels of the U-Net's first stage.")
@click.option("--depth", type=int, default=4, show_default=True, help="Times the U-Net halves the resolution.")
@click.option(
    "--up",
    type=click.Choice(["learned", "bilinear"]),
    default="learned",
    show_default=True,
    help="How the U-Net enlarges.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "no", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="auto: fp16 on CUDA, bf16 on a CPU that has it natively, else none.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, order and augmentation.")
@click.option("--limit", type=int, help="Train on the first so many images only.")
@click.option(
    "--workers", type=click.IntRange(0), help="Processes that decode and augment; default: one per core, at most 8."
)
@click.option(
    "--panel-every", type=click.IntRange(0), default=1, show_default=True, help="Epochs per panel; 0 for none."
)
@click.option("--resume", is_flag=True, help="Go on with the run in RUN.")
@click.pass_context
def train(
    context: click.Context,
    /,
    data: Path,
    run: Path,
    workers: int | None,
    panel_every: int,
    resume: bool,
    **flags: Any,  # noqa: ANN401 (the rest of the options, straight into the configuration)
) -> None:
    """Fit a U-Net to DATA (a folder or a .zip): checkpoints, metrics.jsonl and panels in RUN."""
    from trainer.data.dataset import open_dataset
    from trainer.loop import fit

    config = _resumed_config(run, flags, _given(context)) if resume else _config(flags)
    _require_apart(run, data)
    source = open_dataset(data, config.label_space)
    result = fit(
        config,
        source,
        run,
        workers=_default_workers() if workers is None else workers,
        panel_every=panel_every,
        resume=resume,
    )
    if result.main_process:
        _report(result, data, run)
    if result.interrupted_by is not None:
        raise click.exceptions.Exit(128 + result.interrupted_by)


def _report(result: "FitResult", data: Path, run: Path) -> None:
    if result.interrupted_by is not None:
        start = ["accelerate", "launch", "--num_processes", str(result.processes), "-m"] if result.processes > 1 else []
        command = shlex.join([*start, "segtool", "train", str(data), "--out", str(run), "--resume"])
        click.echo(f"interrupted, the state is saved in {run / 'last.safetensors'}; go on with: {command}", err=True)
        return
    progress = result.progress
    if result.epochs_trained == 0:
        say(f"all {progress.epoch} epochs were done already; to go on: --resume --epochs {2 * progress.epoch}")
    say(f"best mean IoU {progress.best_mean_iou:.4f} in epoch {progress.best_epoch} of {progress.epoch}")
    say(f"checkpoints   {run / 'best.safetensors'}, {run / 'last.safetensors'}")
    say(f"scores        {run / 'metrics.jsonl'}")
    say(f"pictures      {run / 'panels'}")
    say(f"next          {shlex.join(['segtool', 'export', str(run), '--fp16'])}")


def _require_apart(run: Path, data: Path) -> None:
    """Refuses to write a run into the data set.

    Raises:
        UsageError: RUN is DATA or lies in it.
    """
    from runtime.errors import UsageError

    if data.is_dir() and run.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"--out {run}: lies in the data set {data}, expected a folder of its own; give another --out")


def _config(flags: dict[str, Any]) -> "TrainConfig":
    from trainer.config import TrainConfig
    from trainer.networks.unet import UNetConfig

    height_px, width_px = parse_size(flags.pop("size"))
    network = UNetConfig(width=flags.pop("width"), depth=flags.pop("depth"), up=flags.pop("up"))
    return TrainConfig(height_px=height_px, width_px=width_px, network=network, **flags)


def _given(context: click.Context) -> set[str]:
    """The parameters that the command line names."""
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def _resumed_config(run: Path, flags: dict[str, Any], given: set[str]) -> "TrainConfig":
    """The run's own configuration; a flag that contradicts it is refused, another number of epochs is taken.

    Raises:
        UsageError: a flag asks for something that the run is not.
        CheckpointError: there is no run to resume.
    """
    from runtime.errors import UsageError
    from trainer.run_folder import RunFolder

    stored = RunFolder(run).stored_config()
    has = {
        **vars(stored),
        **vars(stored.network),
        "size": (stored.height_px, stored.width_px),
    }
    for name in sorted(given & flags.keys() - FREE_ON_RESUME):
        asked = parse_size(flags[name]) if name == "size" else flags[name]
        if asked != has[name]:
            flag = FLAGS.get(name, name.replace("_", "-"))
            shown = f"{has[name][1]}x{has[name][0]}" if name == "size" else has[name]
            raise UsageError(
                f"{run}: was started with --{flag} {shown}, --resume can't change it to {flags[name]}; "
                "leave the flag out, or train anew in another --out"
            )
    return replace(stored, **{name: flags[name] for name in FREE_ON_RESUME & given})


def _default_workers() -> int:
    from benchmarks.machine import usable_cores

    return min(usable_cores() or 1, 8)
