"""What a run begins with, before there is a network in training: device, facts for the record, starting weights."""

from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, parse_flag_from_env
from torch import Tensor, nn

from runtime.errors import DataError, UsageError
from trainer.checkpoint import Checkpoint
from trainer.data.class_shares import class_shares
from trainer.data.dataset import Dataset as FrameSource
from trainer.learning.losses import class_weights
from trainer.networks.pretrained import load_pretrained
from trainer.precision import resolve_precision
from trainer.resume import settle_differences
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.state import describe_classes, describe_data
from trainer.tracking import accelerate_tracker
from trainer.transfer import init_from

NAMES_SHOWN = 8


def make_accelerator(config: TrainConfig, run: RunFolder, options: FitOptions) -> Accelerator:
    """Device, arithmetic and tracker.

    Raises:
        UsageError: the precision is not to be had on this device.
        MissingPackage: the tracker is not installed.
    """
    # the bare state does not look at what `accelerate launch --cpu` sets
    device = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device
    precision = resolve_precision(config.precision, device)
    tracker = accelerate_tracker(options.track)
    AcceleratorState._reset_state()  # a singleton that would refuse a second run of another precision in one process
    # several processes wait for the gradient of each parameter, unless told that a frozen one has none
    frozen = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        mixed_precision=precision,
        log_with=tracker,
        project_dir=str(run.path) if tracker else None,
        kwargs_handlers=[frozen] if config.freeze_encoder_epochs else None,
    )


def run_facts(
    config: TrainConfig,
    source: FrameSource,
    accelerator: Accelerator,
    stored: Checkpoint | None,
    run: RunFolder,
    options: FitOptions,
) -> dict[str, Any]:
    """What every record says of this run.

    Raises:
        CheckpointError: the run that is to go on was another one.
        UsageError: it has more epochs behind it than it is to have in all.
    """
    facts: dict[str, Any] = {
        "config": config.to_dict(),
        "label_space": describe_classes(source),
        "data": describe_data(source),
        "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
        "torch": torch.__version__,
        "started_from": [],
        "class_shares": None,
        "inexact": [],
    }
    if stored is None:
        if config.loss.class_weights != "none":
            facts["class_shares"] = class_shares(source, limit=config.limit).tolist()
        return facts
    before = stored.record
    if config.epochs < before["epoch"]:
        raise UsageError(
            f"--epochs {config.epochs}: {run.last} has {before['epoch']} epochs behind it; give at least that, "
            "or leave it out"
        )
    found = settle_differences(before, facts, str(run.last), allow_inexact=options.allow_inexact)
    since = [f"from epoch {before['epoch'] + 1}, image {before['images_seen'] + 1}: {text}" for text in found]
    kept = {name: before[name] for name in ("started_from", "class_shares")}
    return {**facts, **kept, "inexact": before["inexact"] + since}


def start_weights(network: nn.Module, config: TrainConfig, options: FitOptions) -> list[dict[str, Any]]:
    """Puts in the weights that a new run starts from; what they were, for the record."""
    sources = []
    if options.weights != "none":
        sources.append(load_pretrained(network, config.network, options.weights))
    if options.init is not None:
        sources.append(init_from(network, options.init))
    return sources


def unmatched_line(source: FrameSource) -> str | None:
    """For people: photos without a mask and masks without a photo, which training leaves out; None where all match."""
    names = [f"{name} ({split})" for split, files in source.unmatched.items() for name in files]
    if not names:
        return None
    count = (
        "1 photo or mask without the other is"
        if len(names) == 1
        else f"{len(names)} photos or masks without the other are"
    )
    return f"{count} left out, such as {names[0]}; list them with: segtool data inspect {source.path}"


def start_line(source: dict[str, Any]) -> str:
    """One of the entries of `start_weights` for people: where weights came from, how many, and what is made anew."""
    anew = source["anew"]
    more = f" and {len(anew) - NAMES_SHOWN} more" if len(anew) > NAMES_SHOWN else ""
    names = f"; made anew: {', '.join(anew[:NAMES_SHOWN])}{more}" if anew else ""
    whole = source["taken"] + len(anew)
    return f"started from {source.get('file', source['source'])}: {source['taken']} of {whole} tensors taken{names}"


def loss_weights(config: TrainConfig, facts: dict[str, Any], device: torch.device) -> Tensor | None:
    """Of the loss, from the shares that were counted when the run began."""
    if config.loss.class_weights == "none":
        return None
    weights = class_weights(config.loss.class_weights, torch.tensor(facts["class_shares"]))
    return None if weights is None else weights.to(device)


def require_frames(source: FrameSource) -> None:
    """Refuses a data set that can't be trained on.

    Raises:
        DataError: a split is empty.
    """
    for split in ("train", "val"):
        if not source.splits.get(split):
            raise DataError(
                f"{source.path}: training needs frames in train and val, found none in {split}; "
                f"look with: segtool data inspect {source.path}"
            )
