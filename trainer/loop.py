"""The training loop, to be read from top to bottom: epochs, steps, validation, saving, stopping.

Accelerate places the network and chooses the arithmetic, so `accelerate launch -m segtool train ...` works unchanged.
A step of the optimiser is in steps.py.
"""

import atexit
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from runtime.metrics import Scores
from trainer.beginning import start_line, unmatched_line
from trainer.data.dataset import Dataset as FrameSource
from trainer.interrupt import StopRequest
from trainer.learning.optimise import set_learning_rate
from trainer.loader import batches
from trainer.overfit import few_images
from trainer.run_folder import RunFolder
from trainer.session import Session, open_session, save
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.state import Progress, epoch_entry
from trainer.steps import require_progress, train_step
from trainer.tracking import start_tracking, stop_tracking, track_epoch
from trainer.transfer import set_encoder_frozen
from trainer.validation import validate
from trainer.workers import attended


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


def fit(config: TrainConfig, source: FrameSource, folder: Path, options: FitOptions | None = None) -> FitResult:
    """Trains a network and leaves a run folder: checkpoints, metrics.jsonl, panels, the settings.

    Stopped anywhere and resumed on the same machine's CPU, a run ends with the same bytes as one that never stopped.

    Args:
        config: the run's settings.
        source: a data set with frames in `train` and `val`.
        folder: the run; must hold no checkpoint unless `options.resume`.
        options: how it is carried out; None for the defaults.

    Raises:
        UsageError: the folder holds a run and `resume` is off, or the precision is not to be had.
        DataError: a split is empty, a frame can't be read, or a loader worker died or hangs.
        CheckpointError: nothing to resume, or a resume that would not be exact.
        MissingPackage: the tracker, or the weights to start from, are not installed.
        DivergedError: 20 steps in a row were not finite, or a number that would be saved is not.
        StorageError: disk full, no permission.
    """
    options = options or FitOptions()
    if options.overfit is not None:
        config, source = few_images(config, source, options.overfit)
    run = RunFolder(folder)
    if not options.resume:
        run.require_unused()
    with StopRequest() as stop:
        session, progress = open_session(config, source, run, stop, options)
        loaders = (session.loader, session.validation)
        with session.display, attended(*loaders), attended(*loaders):
            _start_run(session, progress)
            result = _run_epochs(session, progress)
            session.accelerator.wait_for_everyone()  # a next run must find the last checkpoint, in every process
            stop_tracking(session.accelerator)
    if session.accelerator.num_processes > 1:
        # with the interpreter and not here, where it would leave no group for a next run in the same processes
        atexit.register(session.accelerator.state.destroy_process_group)
    return result


def _start_run(session: Session, progress: Progress) -> None:
    run, config, accelerator = session.run, session.config, session.accelerator
    if accelerator.is_main_process:
        run.write_config(config)
        run.write_metrics(progress.history)
        if not session.options.resume:
            run.start(config, session.source, session.plain, session.display)
            left_out = unmatched_line(session.source)
            for line in ([left_out] if left_out else []) + [start_line(each) for each in session.facts["started_from"]]:
                session.display.line(line)
    start_tracking(accelerator, session.options.track, run.path, progress.epoch)
    if not session.options.resume:
        save(session, progress, best=False)  # from here on there is always something to resume from


def _run_epochs(session: Session, progress: Progress) -> FitResult:
    classes, first = session.source.label_space.classes, progress.epoch
    while progress.epoch < session.config.epochs:
        started = time.perf_counter()
        learning_rate = _learning_rate(session, progress)
        if _train_epoch(session, progress):
            save(session, progress, best=False)
            signal_number = session.stop.signal_number or signal.SIGTERM
            return _result(session, progress, progress.epoch - first, interrupted_by=signal_number)
        train_seconds = time.perf_counter() - started
        result = validate(session)
        seconds = time.perf_counter() - started
        entry = epoch_entry(
            progress, result, classes, learning_rate=learning_rate, train_seconds=train_seconds, seconds=seconds
        )
        progress.history.append(entry)
        progress.close_epoch()
        improved = result.mean_iou > progress.best_mean_iou
        if improved:
            progress.best_mean_iou, progress.best_epoch = result.mean_iou, progress.epoch
        save(session, progress, best=improved, keep=session.options.keep)
        track_epoch(session.accelerator, entry)
        if session.accelerator.is_main_process:
            session.run.write_metrics(progress.history)
            session.display.epoch_line(entry, improved=improved)
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


def _learning_rate(session: Session, progress: Progress) -> float:
    """Of the next step: from the place in the run, not a counter, so a resumed run goes on exactly where it was."""
    done = (progress.epoch + progress.images_seen / session.sampler.count) / session.config.epochs
    return session.config.optimiser.learning_rate * session.config.schedule.factor(done)


def _train_epoch(session: Session, progress: Progress) -> bool:
    """Trains over what is left of the next epoch.

    Returns:
        Whether a stop request ended it early, with `progress` telling how far it came.

    Raises:
        DivergedError: 20 steps in a row were not finite.
    """
    config, sampler = session.config, session.sampler
    sampler.epoch, sampler.skip = progress.epoch + 1, progress.images_seen
    session.display.start_epoch(sampler.epoch, sampler.count, progress.images_seen)
    session.network.train()
    if config.freeze_encoder_epochs:
        set_encoder_frozen(session.plain, frozen=progress.epoch < config.freeze_encoder_epochs)
    whole_step = config.batch_size * config.accumulate * session.accelerator.num_processes
    incoming, done, started = batches(session.loader), 0, time.perf_counter()
    while progress.images_seen < sampler.count:
        images = min(whole_step, sampler.count - progress.images_seen)
        set_learning_rate(session.optimizer, _learning_rate(session, progress))
        step = train_step(session, incoming, progress, images)
        progress.count_step(images, step.loss, skipped=step.skipped)
        require_progress(session, progress, images, step.loss)
        done += images
        session.display.step(images, progress.loss, done / (time.perf_counter() - started), progress.skipped)
        if step.stop:
            return True
    return False


def _draw_panel(session: Session, epoch: int, result: Scores) -> None:
    every = session.options.panel_every
    if every and (epoch % every == 0 or epoch == session.config.epochs):
        with session.accelerator.autocast():
            session.run.write_panel(
                session.source, session.config, session.validated, session.accelerator.device, epoch, result
            )
