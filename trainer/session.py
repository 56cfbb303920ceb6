"""Everything that the steps of a run share, set up in one place: device, precision, network, optimiser, loaders."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from trainer.beginning import loss_weights, make_accelerator, require_frames, run_facts, start_weights
from trainer.checkpoint import load_checkpoint
from trainer.data.cache import cached
from trainer.data.dataset import Dataset as FrameSource
from trainer.display import TrainDisplay
from trainer.interrupt import StopRequest
from trainer.learning.averaging import average_of, statistics_of
from trainer.learning.losses import Loss, build_loss
from trainer.learning.optimise import build_optimiser
from trainer.loader import EpochSampler, Item, plain_loader, train_loader
from trainer.networks.catalogue import build_network
from trainer.networks.ends import Normalise
from trainer.run_folder import RunFolder
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.state import Progress, restore_state, save_state
from trainer.transfer import set_encoder_frozen
from trainer.workers import WatchedLoader


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the steps of a run share.

    Attributes:
        network: as Accelerate wraps it, for training steps.
        plain: the same network without the wrapper of several processes.
        average: the moving average of its weights, where the run keeps one.
        statistics: the running means and variances in `plain`.
        facts: what every checkpoint's record says of the run.
    """

    accelerator: Accelerator
    config: TrainConfig
    options: FitOptions
    source: FrameSource
    facts: dict[str, Any]
    run: RunFolder
    network: nn.Module
    plain: nn.Module
    average: AveragedModel | None
    statistics: list[Tensor]
    normalise: Normalise
    optimizer: torch.optim.Optimizer
    loader: WatchedLoader[Item]
    sampler: EpochSampler
    loss: Loss
    validation: WatchedLoader[Item]
    display: TrainDisplay
    stop: StopRequest

    @property
    def validated(self) -> nn.Module:
        """The network that is scored, drawn and exported: the average where there is one."""
        return self.plain if self.average is None else self.average.module


def open_session(
    config: TrainConfig, source: FrameSource, run: RunFolder, stop: StopRequest, options: FitOptions
) -> tuple[Session, Progress]:
    """Builds the network or restores it, and hands it to Accelerate.

    Raises:
        DataError: a split is empty.
        UsageError: the precision is not to be had on this device, or there is no encoder to freeze.
        MissingPackage: the tracker, or the weights to start from, are not installed.
        CheckpointError: nothing to resume from or to start from, or a resume that would not be exact.
    """
    require_frames(source)
    accelerator = make_accelerator(config, run, options)
    stored = load_checkpoint(run.last) if options.resume else None
    facts = run_facts(config, source, accelerator, stored, run, options)
    torch.manual_seed(config.seed)
    plain = build_network(config.network, len(source.label_space.classes)).to(memory_format=torch.channels_last)
    if config.freeze_encoder_epochs:
        set_encoder_frozen(plain, frozen=False)  # raises where there is none, before anything is written
    if stored is None:
        facts["started_from"] = start_weights(plain, config, options)
    average = average_of(plain, config.ema)
    optimizer = build_optimiser(config.optimiser, plain)
    progress = restore_state(stored, plain, average, optimizer, str(run.last)) if stored else Progress()
    network, optimizer = accelerator.prepare(plain, optimizer)
    if average is not None:
        average.module.to(accelerator.device)  # not its counter, which would be waited for in each step
    if stored and stored.record["scaler"] is not None and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(stored.record["scaler"])
    loader, sampler, validation = _loaders(config, source, accelerator, options)
    session = Session(
        accelerator=accelerator,
        config=config,
        options=options,
        source=source,
        facts=facts,
        run=run,
        network=network,
        plain=plain,
        average=average,
        statistics=statistics_of(plain),
        normalise=Normalise().to(accelerator.device),
        optimizer=optimizer,
        loader=loader,
        sampler=sampler,
        loss=build_loss(config.loss, loss_weights(config, facts, accelerator.device)),
        validation=validation,
        display=TrainDisplay(config.epochs, quiet=not accelerator.is_main_process),
        stop=stop,
    )
    return session, progress


def _loaders(
    config: TrainConfig, source: FrameSource, accelerator: Accelerator, options: FitOptions
) -> tuple[WatchedLoader[Item], EpochSampler, WatchedLoader[Item]]:
    """This process's batches for training, their order, and its batches for validation."""
    share, workers = (accelerator.process_index, accelerator.num_processes), options.workers
    frames = cached(source, cap_bytes=options.cache_mb * 2**20) if options.cache_mb else source
    loader, sampler = train_loader(frames, config, workers, share=share, timeout_s=options.worker_timeout_s)
    validation = plain_loader(
        frames,
        "val",
        config.height_px,
        config.width_px,
        batch_size=config.batch_size,
        workers=workers,
        share=share,
        timeout_s=options.worker_timeout_s,
    )
    return loader, sampler, validation


def save(session: Session, progress: Progress, *, best: bool, keep: int = 0) -> None:
    """Writes the checkpoints; only the main process does.

    Args:
        session: what is saved.
        progress: goes into the record.
        best: the epoch just completed is the best so far.
        keep: past epochs that are kept, this one the newest; 0 where no epoch was completed, or none is wanted.
    """
    accelerator = session.accelerator
    if not accelerator.is_main_process:
        return
    scaler = accelerator.scaler.state_dict() if accelerator.scaler is not None else None
    record = {**session.facts, "scaler": scaler, **vars(progress)}
    save_state(session.run, session.plain, session.average, session.optimizer, record, best=best, keep=keep)
