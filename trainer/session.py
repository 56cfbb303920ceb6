"""Everything that the steps of a run share, set up in one place: device, precision, network, optimiser, loaders."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env
from torch import nn
from torch.utils.data import DataLoader

from runtime.errors import DataError
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset as FrameSource
from trainer.display import TrainDisplay
from trainer.interrupt import StopRequest
from trainer.loader import EpochSampler, Item, plain_loader, train_loader
from trainer.networks.unet import UNet
from trainer.precision import resolve_precision
from trainer.run_folder import RunFolder
from trainer.state import Progress, describe_data, restore_state, save_state


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the steps of a run share; the network and the training loader are Accelerate's."""

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


def open_session(
    config: TrainConfig, source: FrameSource, run: RunFolder, stop: StopRequest, *, workers: int, resume: bool
) -> tuple[Session, Progress]:
    """Builds the network or restores it, and hands everything to Accelerate.

    Raises:
        DataError: a split is empty.
        UsageError: the precision is not to be had on this device.
        CheckpointError: nothing to resume, or made from other data.
    """
    _require_frames(source)
    # the bare state does not look at what `accelerate launch --cpu` sets
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
        display=TrainDisplay(config.epochs, quiet=not accelerator.is_main_process),
        stop=stop,
    )
    return session, progress


def stop_requested(session: Session) -> bool:
    """Whether any process was asked to stop; all of them learn it in the same step, or one would wait for ever."""
    accelerator = session.accelerator
    asked = session.stop.signal_number is not None
    if accelerator.num_processes == 1:
        return asked
    flags = accelerator.reduce(torch.tensor([float(asked)], device=accelerator.device), reduction="sum")
    return bool(flags.item() > 0)


def save(session: Session, progress: Progress, *, best: bool) -> None:
    """Writes the checkpoints; only the main process does."""
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
