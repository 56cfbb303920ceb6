"""One batch through everything that a run does, with what it costs: finds in seconds what would fail after an hour."""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from trainer.data.dataset import Dataset as FrameSource
from trainer.evaluate import predict_batches
from trainer.interrupt import StopRequest
from trainer.loader import Batch, batches
from trainer.overfit import few_images
from trainer.run_folder import RunFolder
from trainer.session import Session, open_session, save
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions
from trainer.steps import batch_loss, train_step
from trainer.transfer import set_encoder_frozen
from trainer.workers import attended

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DryRunReport:
    """What one batch took.

    Attributes:
        seconds: of each part, in order; forward and step are timed warm, the others as they come at first.
        step_s: of one step of the optimiser once it is warm, without reading.
        images_per_s: that a run may reach: the slower of reading (with its workers) and computing, over all processes.
        run_s: of the whole run, training and validation, estimated from that.
        memory_mb: the most that this process has used so far; of the GPU where there is one.
        loss: of the batch.
        without_gradient: parameters that the loss does not reach; frozen ones are not among them.
        main_process: whether this process is the one that prints; only it saves, too.
    """

    seconds: dict[str, float]
    step_s: float
    images_per_s: float
    run_s: float
    memory_mb: float
    loss: float
    without_gradient: tuple[str, ...]
    main_process: bool = True

    def text(self) -> str:
        """For people: a line a fact."""
        lines = [f"{part:<12}{seconds * 1e3:>10.1f} ms" for part, seconds in self.seconds.items()]
        lines.append(f"{'step':<12}{self.step_s * 1e3:>10.1f} ms, without reading; loss {self.loss:.4f}")
        lines.append(f"{'memory':<12}{self.memory_mb:>10.0f} MB at most so far")
        lines.append(f"{'speed':<12}{self.images_per_s:>10.1f} images/s, the whole run about {_duration(self.run_s)}")
        missed = ", ".join(self.without_gradient) or "none"
        lines.append(f"parameters that get no gradient: {missed}")
        return "\n".join(lines)


def dry_run(config: TrainConfig, source: FrameSource, options: FitOptions | None = None) -> DryRunReport:
    """Reads, augments, trains on, validates and saves one batch, in a folder that is gone afterwards.

    Args:
        config: the run's settings.
        source: a data set with frames in `train` and `val`.
        options: how the run would be carried out; resuming and tracking are left out.

    Raises:
        SegtoolError: what the run itself would raise.
    """
    options = replace(options or FitOptions(), resume=False, track="none", keep=0)
    if options.overfit is not None:
        config, source = few_images(config, source, options.overfit)
    with tempfile.TemporaryDirectory(prefix="segtool-dry-run-") as folder:
        # a request that is not entered hears no signal: Ctrl-C ends a dry run, where there is nothing to save
        session, progress = open_session(config, source, RunFolder(Path(folder)), StopRequest(), options)
        loaders = (session.loader, session.validation)
        with attended(*loaders), attended(*loaders):
            session.network.train()
            if config.freeze_encoder_epochs:
                set_encoder_frozen(session.plain, frozen=True)
            seconds: dict[str, float] = {}
            incoming = batches(session.loader)
            batch = _timed(session, seconds, "read", lambda: next(incoming))
            loss = _time_parts(session, batch, seconds)
            missed = tuple(
                name for name, each in session.plain.named_parameters() if each.requires_grad and each.grad is None
            )
            images = len(batch[0]) * session.accelerator.num_processes
            train_step(session, iter([batch]), progress, images)  # optimiser and scaler make their state at first
            warm: dict[str, float] = {}
            _timed(session, warm, "step", lambda: train_step(session, iter([batch]), progress, images))
            predicted = predict_batches(session.validated, session.validation, session.accelerator.device)
            validated_nhw, _, _ = _timed(session, seconds, "validate", lambda: next(predicted))
            _timed(session, seconds, "save", lambda: save(session, progress, best=True))
    reading = seconds["read"] / max(options.workers, 1)
    rate = images / max(reading, warm["step"]) if options.workers else images / (reading + warm["step"])
    validated = len(validated_nhw) * session.accelerator.num_processes
    validation_s = len(source.splits["val"]) * seconds["validate"] / validated
    run_s = config.epochs * (session.sampler.count / rate + validation_s + seconds["save"])
    return DryRunReport(
        seconds=seconds,
        step_s=warm["step"],
        images_per_s=rate,
        run_s=run_s,
        memory_mb=_memory_mb(session.accelerator.device),
        loss=loss,
        without_gradient=missed,
        main_process=session.accelerator.is_main_process,
    )


def _time_parts(session: Session, batch: Batch, seconds: dict[str, float]) -> float:
    """Times forward (with the loss) and backward, leaves the gradients, and returns the loss."""
    batch_loss(session, *batch)  # the first pass chooses kernels and takes memory
    loss = _timed(session, seconds, "forward", lambda: batch_loss(session, *batch))
    _timed(session, seconds, "backward", lambda: session.accelerator.backward(loss))
    return float(loss.item())


def _timed(session: Session, seconds: dict[str, float], part: str, deed: Callable[[], T]) -> T:
    on_gpu = session.accelerator.device.type == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
    started = time.perf_counter()
    result = deed()
    if on_gpu:
        torch.cuda.synchronize()
    seconds[part] = time.perf_counter() - started
    return result


def _memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
