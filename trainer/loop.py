"""The training loop, to be read from top to bottom: epochs, steps, validation, saving, stopping.

Accelerate places the network and chooses the arithmetic, so `accelerate launch -m segtool train ...` works unchanged.
"""

import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env
from torch import nn
from torch.utils.data import DataLoader

from runtime.errors import DataError, DivergedError
from runtime.metrics import Scores, confusion_matrix, scores
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset as FrameSource
from trainer.display import TrainDisplay
from trainer.evaluate import predict_batches
from trainer.interrupt import StopRequest
from trainer.loader import EpochSampler, Item, batches, plain_loader, train_loader
from trainer.losses import soft_dice_loss
from trainer.networks.ends import Normalise
from trainer.networks.unet import UNet
from trainer.precision import resolve_precision
from trainer.run_folder import RunFolder
from trainer.state import Progress, describe_data, epoch_entry, restore_state, save_state


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended.

    Attributes:
        progress: how far it came.
        interrupted_by: the signal that ended it early, or None.
        main_process: whether this process is the one that writes and prints.
        processes: how many trained together.
    """

    progress: Progress
    interrupted_by: int | None
    main_process: bool
    processes: int


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the steps of a run share."""

    accelerator: Accelerator
    config: TrainConfig
    source: FrameSource
    facts: dict[str, Any]
    run: RunFolder
    network: nn.Module
    optimizer: torch.optim.Optimizer
    loader: DataLoader[Item]
    sampler: EpochSampler
    validation: DataLoader[Item]
    display: TrainDisplay
    stop: StopRequest


def fit(
    config: TrainConfig,
    source: FrameSource,
    folder: Path,
    *,
    workers: int = 0,
    panel_every: int = 1,
    resume: bool = False,
) -> FitResult:
    """Trains a U-Net and leaves a run folder: checkpoints, metrics.jsonl, panels, the settings.

    Args:
        config: the run's settings.
        source: a data set with frames in `train` and `val`, opened with the config's label space.
        folder: the run; must hold no checkpoint unless `resume`.
        workers: processes that decode and augment; they change the speed, never the batches.
        panel_every: a panel each so many epochs; 0 for none.
        resume: go on from `last`.

    Raises:
        UsageError: the folder holds a run and `resume` is off, or the precision is not to be had.
        DataError: a split is empty, or a frame can't be read.
        CheckpointError: nothing to resume, or made from other data.
        DivergedError: the loss, or a number that would be saved, is not finite.
        StorageError: disk full, no permission.
    """
    run = RunFolder(folder)
    if not resume:
        run.require_unused()
    _require_frames(source)
    device = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device
    precision = resolve_precision(config.precision, device)
    AcceleratorState._reset_state()  # a singleton that would refuse a second run of another precision in one process
    accelerator = Accelerator(mixed_precision=precision)
    torch.manual_seed(config.seed)
    network = UNet(config.network, len(source.label_space.classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    data = describe_data(source)
    progress, scaler = restore_state(run, network, optimizer, data) if resume else (Progress(), None)
    loader, sampler = train_loader(source, config, workers)
    share = (accelerator.process_index, accelerator.num_processes)
    size = (config.height_px, config.width_px)
    validation = plain_loader(source, "val", *size, batch_size=config.batch_size, workers=workers, share=share)
    network, optimizer, loader = accelerator.prepare(network, optimizer, loader)
    if scaler is not None and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(scaler)
    quiet = not accelerator.is_main_process
    with TrainDisplay(config.epochs, quiet=quiet) as display, StopRequest() as stop:
        session = Session(
            accelerator=accelerator,
            config=config,
            source=source,
            facts={"config": config.to_dict(), "classes": list(source.label_space.classes), "data": data},
            run=run,
            network=network,
            optimizer=optimizer,
            loader=loader,
            sampler=sampler,
            validation=validation,
            display=display,
            stop=stop,
        )
        if accelerator.is_main_process:
            run.write_config(config)
            run.write_metrics(progress.history)
            if not resume:
                run.start(config, source, accelerator.unwrap_model(network), display)
        if not resume:
            _save(session, progress, best=False)  # from here on there is always something to resume from
        return _run_epochs(session, progress, panel_every)


def _run_epochs(session: Session, progress: Progress, panel_every: int) -> FitResult:
    classes = session.source.label_space.classes
    while progress.epoch < session.config.epochs:
        started = time.perf_counter()
        loss, stopped = _train_epoch(session, progress)
        if stopped:
            _save(session, progress, best=False)
            return _result(session, progress, interrupted_by=session.stop.signal_number or signal.SIGTERM)
        train_seconds = time.perf_counter() - started
        result = _validate(session)
        progress.epoch, progress.images_seen = progress.epoch + 1, 0
        seconds = time.perf_counter() - started
        entry = epoch_entry(progress.epoch, loss, result, classes, train_seconds=train_seconds, seconds=seconds)
        progress.history.append(entry)
        improved = result.mean_iou > progress.best_mean_iou
        if improved:
            progress.best_mean_iou, progress.best_epoch = result.mean_iou, progress.epoch
        _save(session, progress, best=improved)
        if session.accelerator.is_main_process:
            session.run.write_metrics(progress.history)
            session.display.epoch_line(entry, improved=improved)
            if panel_every and (progress.epoch % panel_every == 0 or progress.epoch == session.config.epochs):
                _draw_panel(session, progress.epoch, result)
    return _result(session, progress, interrupted_by=None)


def _result(session: Session, progress: Progress, interrupted_by: int | None) -> FitResult:
    accelerator = session.accelerator
    return FitResult(
        progress=progress,
        interrupted_by=interrupted_by,
        main_process=accelerator.is_main_process,
        processes=accelerator.num_processes,
    )


def _train_epoch(session: Session, progress: Progress) -> tuple[float, bool]:
    """Trains over what is left of the next epoch.

    Returns:
        The mean loss of the steps, NaN where none was left; and whether a stop request ended them early, with
        `progress.images_seen` telling how far they came.
    """
    accelerator, sampler = session.accelerator, session.sampler
    epoch = progress.epoch + 1
    sampler.epoch, sampler.skip = epoch, progress.images_seen
    session.display.start_epoch(epoch, sampler.count, progress.images_seen)
    normalise = Normalise().to(accelerator.device)
    session.network.train()
    total, steps, images, started = 0.0, 0, 0, time.perf_counter()
    for image_nhwc, truth_nhw in batches(session.loader):
        # from the place in the run, not from a counter: a resumed run goes on exactly where it was
        done = (progress.epoch + progress.images_seen / sampler.count) / session.config.epochs
        for group in session.optimizer.param_groups:
            group["lr"] = session.config.learning_rate_at(done)
        loss = soft_dice_loss(session.network(normalise(image_nhwc)), truth_nhw)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss became {value} in epoch {epoch}, step {steps + 1}; the checkpoint before it is kept, "
                "train again with a smaller --lr or --precision no"
            )
        session.optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        session.optimizer.step()
        seen = len(image_nhwc) * accelerator.num_processes
        total, steps, images = total + value, steps + 1, images + seen
        progress.images_seen = min(progress.images_seen + seen, sampler.count)
        session.display.step(seen, total / steps, images / (time.perf_counter() - started))
        if _stop_requested(session):
            return total / steps, True
    return (total / steps if steps else float("nan")), False


def _stop_requested(session: Session) -> bool:
    """Whether any process was asked to stop; all of them learn it in the same step, or one would wait for ever."""
    accelerator = session.accelerator
    asked = session.stop.signal_number is not None
    if accelerator.num_processes == 1:
        return asked
    flags = accelerator.reduce(torch.tensor([float(asked)], device=accelerator.device), reduction="sum")
    return bool(flags.item() > 0)


def _validate(session: Session) -> Scores:
    """Scores the validation split over all processes, in the arithmetic of training."""
    accelerator = session.accelerator
    count = len(session.source.label_space.classes)
    confusion = np.zeros((count, count + 1), np.int64)
    # unwrapped: the wrapper of several processes talks to the others in its first forward, and a process without a
    # validation frame would never answer
    network = accelerator.unwrap_model(session.network)
    for _, truth, predicted in predict_batches(network, session.validation, accelerator.device):
        confusion += confusion_matrix(truth, predicted, count)
    summed = accelerator.reduce(torch.from_numpy(confusion).to(accelerator.device), reduction="sum")
    result = scores(summed.cpu().numpy())
    if result.pixels == 0:
        raise DataError(
            f"{session.source.path}: every pixel of its validation frames is ignored, so nothing can be scored; "
            f"look with: segtool data inspect {session.source.path}"
        )
    return result


def _draw_panel(session: Session, epoch: int, result: Scores) -> None:
    network = session.accelerator.unwrap_model(session.network)
    session.run.write_panel(session.source, session.config, network, session.accelerator.device, epoch, result)


def _save(session: Session, progress: Progress, *, best: bool) -> None:
    accelerator = session.accelerator
    if not accelerator.is_main_process:
        return
    facts = {
        **session.facts,
        "precision": accelerator.mixed_precision,
        "processes": accelerator.num_processes,
        "torch": torch.__version__,
        "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
    }
    save_state(session.run, accelerator.unwrap_model(session.network), session.optimizer, progress, facts, best=best)


def _require_frames(source: FrameSource) -> None:
    for split in ("train", "val"):
        if not source.splits.get(split):
            raise DataError(
                f"{source.path}: training needs frames in train and val, found none in {split}; "
                f"look with: segtool data inspect {source.path}"
            )
