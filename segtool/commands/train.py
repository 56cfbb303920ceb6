"""`segtool train`: flags to a configuration, one call, the paths of what came out."""

import os
import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from segtool.console import say

if TYPE_CHECKING:
    from trainer.config import TrainConfig

EXAMPLES = """\b
Examples:
  segtool train cityscapes_pairs.zip --out runs/a
  segtool train cityscapes_pairs.zip --out runs/a --size 128 --label-space cityscapes
  segtool train cityscapes_pairs.zip --out runs/a --resume
  accelerate launch --num_processes 2 -m segtool train cityscapes_pairs.zip --out runs/b"""

# what may change between the parts of one run; all else decides what its weights become
FREE_ON_RESUME = {"epochs"}


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
@click.option("--epochs", type=int, default=15, show_default=True)
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

    config = _config(flags)
    if resume:
        config = _resumed(config, run, _given(context))
    source = open_dataset(data, config.label_space)
    result = fit(
        config,
        source,
        run,
        workers=_default_workers() if workers is None else workers,
        panel_every=panel_every,
        resume=resume,
    )
    if result.interrupted_by is not None:
        _end_interrupted(run, result.interrupted_by)
    progress = result.progress
    say(f"best mean IoU {progress.best_mean_iou:.4f} in epoch {progress.best_epoch} of {progress.epoch}")
    say(f"checkpoints   {run / 'best.safetensors'}, {run / 'last.safetensors'}")
    say(f"scores        {run / 'metrics.jsonl'}")
    say(f"pictures      {run / 'panels'}")
    say(f"next          segtool export {run} --fp16")


def _config(flags: dict[str, Any]) -> "TrainConfig":
    from trainer.config import TrainConfig
    from trainer.networks.unet import UNetConfig

    height_px, width_px = parse_size(flags.pop("size"))
    network = UNetConfig(width=flags.pop("width"), depth=flags.pop("depth"), up=flags.pop("up"))
    return TrainConfig(height_px=height_px, width_px=width_px, network=network, **flags)


def _given(context: click.Context) -> set[str]:
    """The fields of the configuration that the command line names."""
    names = {"size": ("height_px", "width_px"), "width": ("network",), "depth": ("network",), "up": ("network",)}
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return {field for name in given for field in names.get(name, (name,))}


def _resumed(config: "TrainConfig", run: Path, given: set[str]) -> "TrainConfig":
    """The run's own configuration; a flag that contradicts it is refused, more epochs are welcome.

    Raises:
        UsageError: a flag asks for something that the run is not.
    """
    from runtime.errors import UsageError
    from trainer.run_folder import RunFolder

    stored = RunFolder(run).stored_config()
    for field in fields(stored):
        asked, has = getattr(config, field.name), getattr(stored, field.name)
        if field.name in given and field.name not in FREE_ON_RESUME and asked != has:
            raise UsageError(
                f"{run}: was started with {field.name} {has}, --resume can't change it to {asked}; "
                "leave the flag out, or train anew in another --out"
            )
    return replace(stored, **{name: getattr(config, name) for name in FREE_ON_RESUME & given})


def _default_workers() -> int:
    return min(os.cpu_count() or 1, 8)


def _end_interrupted(run: Path, signal_number: int) -> NoReturn:
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    command = shlex.join(["segtool", *arguments, "--resume"])
    click.echo(f"interrupted, the state is saved in {run / 'last.safetensors'}; go on with: {command}", err=True)
    sys.exit(128 + signal_number)
