"""One step of the optimiser: batches in, weights changed or the step skipped, the same on every process.

A step is what lies between two states that a run can be stopped in and resumed from.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from runtime.errors import DivergedError
from trainer.learning.averaging import copy_statistics, set_statistics
from trainer.loader import Batch, shares_of_step
from trainer.session import Session
from trainer.state import Progress

MOST_SKIPPED = 20  # in a row; a bad image or an overflow in fp16 costs a few, weights that are lost cost every one
NAMES_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """How a step went.

    Attributes:
        loss: mean over the images of all processes; may be not finite where `skipped`.
        skipped: the loss or a gradient was not finite, and nothing was changed.
        stop: a process was asked to stop.
    """

    loss: float
    skipped: bool
    stop: bool


def train_step(session: Session, incoming: Iterator[Batch], progress: Progress, images: int) -> StepResult:
    """Takes the next batches, averages their gradients over the images of all processes, and follows them.

    Args:
        session: network, optimiser, loss ...
        incoming: this process's batches.
        progress: the place in the run.
        images: of the step, over all processes.
    """
    accelerator = session.accelerator
    rank, processes = accelerator.process_index, accelerator.num_processes
    statistics = copy_statistics(session.statistics)
    session.optimizer.zero_grad(set_to_none=True)
    shares = shares_of_step(images, session.config.batch_size, rank, processes)
    total = torch.zeros((), device=accelerator.device)
    for left, share in zip(range(len(shares) - 1, -1, -1), shares, strict=True):
        image_nhwc, truth_nhw = next(incoming)
        # after the batch is there: a loader that starts its epoch draws too
        _seed_draws([session.config.seed, progress.epoch, progress.images_seen, rank, left])
        # gradients travel between the processes once a step
        with accelerator.no_sync(session.network) if left else nullcontext():
            loss = batch_loss(session, image_nhwc, truth_nhw)
            accelerator.backward(loss * (share * processes))  # the processes' gradients are averaged, the shares add up
        total += loss.detach() * share
    loss_value, skipped, stop = _follow(session, total)
    if skipped:
        set_statistics(session.statistics, statistics)
    elif session.average is not None:
        session.average.update_parameters(session.plain)
    return StepResult(loss=loss_value, skipped=skipped, stop=stop)


def _seed_draws(place: list[int]) -> None:
    """Makes what the network draws (dropout) a function of the place in the run: a resumed run draws the same."""
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))


def batch_loss(session: Session, image_nhwc: Tensor, truth_nhw: Tensor) -> Tensor:
    """The loss of a batch: uint8 RGB [N,H,W,3] and uint8 labels [N,H,W], on any device."""
    device = session.accelerator.device
    image_nchw = session.normalise(image_nhwc.to(device, non_blocking=True))
    return session.loss(session.network(image_nchw), truth_nhw.to(device, non_blocking=True))


def _follow(session: Session, total: Tensor) -> tuple[float, bool, bool]:
    """Agrees on the loss and on a stop request, and steps where everything is finite.

    Returns:
        The loss over all processes, whether the step was skipped, and whether any process was asked to stop: all learn
        it in the same step, or one would wait for the others for ever.
    """
    accelerator, clip_norm = session.accelerator, session.config.optimiser.clip_norm
    scaled = accelerator.scaler is not None  # then gradients are not to be looked at before the scaler has
    asked = torch.tensor(float(session.stop.signal_number is not None), device=total.device)
    norm = torch.zeros_like(total) if scaled else _clip(session, clip_norm)
    found = torch.stack([total.float(), asked, norm.to(total.device).float()])
    if accelerator.num_processes > 1:
        found = accelerator.reduce(found, reduction="sum")
    loss, stops, norm_value = found.tolist()  # the one wait for the device in a step
    skipped = not (math.isfinite(loss) and math.isfinite(norm_value))
    if not skipped:
        if scaled and clip_norm is not None:
            accelerator.clip_grad_norm_(session.network.parameters(), clip_norm)
        session.optimizer.step()
        skipped = scaled and bool(session.optimizer.step_was_skipped)  # type: ignore[attr-defined]
    return loss, skipped, stops > 0


def _clip(session: Session, clip_norm: float | None) -> Tensor:
    """The norm of all gradients, which are scaled down to `clip_norm` where there is one."""
    if clip_norm is not None:
        norm: Tensor = session.accelerator.clip_grad_norm_(session.network.parameters(), clip_norm)
        return norm
    gradients = [each.grad for each in session.network.parameters() if each.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)


def require_progress(session: Session, progress: Progress, images: int, loss: float) -> None:
    """Ends a run whose steps are all skipped.

    Args:
        session: for the names of the frames.
        progress: after the step.
        images: of the step.
        loss: of the step.

    Raises:
        DivergedError: 20 steps in a row were skipped.
    """
    if progress.skipped_in_row < MOST_SKIPPED:
        return
    start, names = progress.images_seen - images, session.source.splits["train"]
    order = session.sampler.whole_epoch()[start : start + images]
    shown = ", ".join(names[index] for _, index in order[:NAMES_SHOWN])
    more = f" and {images - NAMES_SHOWN} more" if images > NAMES_SHOWN else ""
    what = "the gradients were not finite" if math.isfinite(loss) else f"the loss was {loss}"
    raise DivergedError(
        f"{session.run.last}: expected finite numbers, but {what} in {MOST_SKIPPED} steps in a row, the last in epoch "
        f"{progress.epoch + 1} at images {start + 1} to {start + images}: {shown}{more}; the checkpoint before them is "
        "kept, train again with a smaller --lr or --precision no"
    )
