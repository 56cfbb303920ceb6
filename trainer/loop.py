"""The training loop, to be read from top to bottom: epochs, steps, validation, saving, stopping.

Accelerate places the network and chooses the arithmetic, so `accelerate launch -m segtool train ...` works unchanged.
"""

import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from runtime.errors import DataError, DivergedError
from runtime.metrics import Scores, confusion_matrix, scores
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset as FrameSource
from trainer.evaluate import predict_batches
from trainer.interrupt import StopRequest
from trainer.loader import batches, stop_workers
from trainer.losses import soft_dice_loss
from trainer.networks.ends import Normalise
from trainer.run_folder import RunFolder
from trainer.session import Session, open_session, save, stop_requested
from trainer.state import Progress, epoch_entry


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended.

    Attributes:
        progress: how far it came.
        interrupted_by: the signal that ended it early, or None.
        epochs_trained: epochs that this call completed.
        main_process: whether this process is the one that writes and prints.
        processes: how many trained together.
    """

    progress: Progress
    interrupted_by: int | None
    epochs_trained: int
    main_process: bool
    processes: int


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
    with StopRequest() as stop:
        session, progress = open_session(config, source, run, stop, workers=workers, resume=resume)
        with session.display:
            if session.accelerator.is_main_process:
                run.write_config(config)
                run.write_metrics(progress.history)
                if not resume:
                    run.start(config, source, session.accelerator.unwrap_model(session.network), session.display)
            if not resume:
                save(session, progress, best=False)  # from here on there is always something to resume from
            try:
                return _run_epochs(session, progress, panel_every)
            finally:
                stop_workers(session.loader)
                stop_workers(session.validation)


def _run_epochs(session: Session, progress: Progress, panel_every: int) -> FitResult:
    classes, first = session.source.label_space.classes, progress.epoch
    while progress.epoch < session.config.epochs:
        started = time.perf_counter()
        loss, stopped = _train_epoch(session, progress)
        if stopped:
            save(session, progress, best=False)
            signal_number = session.stop.signal_number or signal.SIGTERM
            return _result(session, progress, progress.epoch - first, interrupted_by=signal_number)
        train_seconds = time.perf_counter() - started
        result = _validate(session)
        progress.epoch, progress.images_seen = progress.epoch + 1, 0
        seconds = time.perf_counter() - started
        entry = epoch_entry(progress.epoch, loss, result, classes, train_seconds=train_seconds, seconds=seconds)
        progress.history.append(entry)
        improved = result.mean_iou > progress.best_mean_iou
        if improved:
            progress.best_mean_iou, progress.best_epoch = result.mean_iou, progress.epoch
        save(session, progress, best=improved)
        if session.accelerator.is_main_process:
            session.run.write_metrics(progress.history)
            session.display.epoch_line(entry, improved=improved)
            if panel_every and (progress.epoch % panel_every == 0 or progress.epoch == session.config.epochs):
                _draw_panel(session, progress.epoch, result)
    return _result(session, progress, progress.epoch - first, interrupted_by=None)


def _result(session: Session, progress: Progress, epochs_trained: int, interrupted_by: int | None) -> FitResult:
    accelerator = session.accelerator
    return FitResult(
        progress=progress,
        interrupted_by=interrupted_by,
        epochs_trained=epochs_trained,
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
        if stop_requested(session):
            return total / steps, True
    return (total / steps if steps else float("nan")), False


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
