"""The temperature that makes a network's confidence mean what it says, and the calibration error before and after.

One number divides the logits before the softmax, so labels stay as they are (Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017). Fitted on half of the frames, measured on the other half.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import CheckpointError, DataError, UsageError
from runtime.spec import IGNORE_ID
from trainer.data.dataset import Frame
from trainer.data.progress import track
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import Normalise

BINS = 15  # as in the paper
# Of both halves: 80 MB for 19 classes. Drawn anew, the temperatures of two trained networks (1.25, 1.27) moved by
# 0.004; with a quarter of the pixels, by 0.009.
PIXELS = 2**20
LARGEST_TEMPERATURE = 16.0  # and at least one over it; a network that is right everywhere would ask for 0
_STEPS = 30  # bisections of a range of 8 octaves: 8 / 2**30 is below what float32 tells apart

LogitsAndTruth = tuple[NDArray[np.float32], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class ConfidenceFit:
    """What was fitted, and what it is worth on frames that it was not fitted on.

    Attributes:
        temperature: that divides the logits, 1/16 to 16; over 1 where the network says more than it knows.
        ece_before: expected calibration error at temperature 1, 0 to 1, on the odd frames.
        ece_after: the same at `temperature`.
        frames: looked at, half of them for the fit.
        pixels: drawn from them, for fit and measurement together.
    """

    temperature: float
    ece_before: float
    ece_after: float
    frames: int
    pixels: int

    def document(self) -> dict[str, object]:
        """The fields as a JSON object: what the spec holds under "confidence"."""
        return asdict(self)


def calibrate_network(trained: TrainedNetwork, frames: Sequence[Frame], *, pixels: int = PIXELS) -> ConfidenceFit:
    """Runs the trained network, fp32 on the CPU, over labelled frames and calibrates what it says.

    Args:
        trained: whose network.
        frames: at the network's size, two or more; not those of its training.
        pixels: as in `calibrate`.

    Raises:
        DataError: fewer than two frames, or a half without a valid pixel.
        CheckpointError: a logit is not finite.
        UsageError: fewer pixels than frames.
    """
    return calibrate(_logits(trained, frames), len(frames), pixels=pixels)


def calibrate(
    logits_and_truth: Iterable[LogitsAndTruth], frames: int, *, pixels: int = PIXELS, seed: int = 0
) -> ConfidenceFit:
    """Fits the temperature on the even frames and measures the calibration error on the odd ones.

    Memory stays within `pixels` and one frame: of each frame, equally many valid pixels are drawn.

    Args:
        logits_and_truth: float32 [C,H,W] at temperature 1, and truth uint8 [H,W] (255 = ignored), frame by frame.
        frames: how many there are, two or more.
        pixels: drawn at most, over all frames; at least one a frame.
        seed: of the draw.

    Raises:
        DataError: fewer than two frames, or a half without a valid pixel.
        CheckpointError: a logit is not finite.
        UsageError: fewer pixels than frames.
    """
    if frames < 2:
        raise DataError(
            f"calibration: expected at least 2 frames, one to fit and one to measure, got {frames}; give more"
        )
    if pixels < frames:
        raise UsageError(f"calibration: expected at least a pixel a frame, got {pixels} for {frames} frames; give more")
    halves: tuple[list[Tensor], list[Tensor]] = ([], [])
    truths: tuple[list[Tensor], list[Tensor]] = ([], [])
    for index, (logits_chw, truth_hw) in enumerate(logits_and_truth):
        logits, truth = _draw(logits_chw, truth_hw, pixels // frames, (seed, index))
        halves[index % 2].append(logits)
        truths[index % 2].append(truth)
    for name, parts in (("even", truths[0]), ("odd", truths[1])):
        if not sum(map(len, parts)):
            raise DataError(
                f"calibration: expected pixels with a truth in the {name} frames, got none; give frames with labels"
            )
    fitted_on, measured_on = ((torch.cat(halves[half]), torch.cat(truths[half])) for half in (0, 1))
    temperature = fit_temperature(*fitted_on)
    return ConfidenceFit(
        temperature=temperature,
        ece_before=calibration_error(*measured_on),
        ece_after=calibration_error(measured_on[0] / temperature, measured_on[1]),
        frames=frames,
        pixels=len(fitted_on[1]) + len(measured_on[1]),
    )


def fit_temperature(logits_nc: Tensor, truth_n: Tensor) -> float:
    """The temperature with the least negative log likelihood.

    In the factor b = 1 / temperature the likelihood's slope is the mean over pixels of (expected logit under softmax(b
    z)) - (logit of the truth), which only rises with b: halving the range finds its root, and nothing can diverge.

    Args:
        logits_nc: float [N,C], finite.
        truth_n: int64 [N], 0 to C-1.

    Returns:
        1/16 to 16; an end of that range where the best lies beyond it.
    """
    of_truth = float(logits_nc.gather(1, truth_n[:, None]).double().mean())
    low, high = -np.log(LARGEST_TEMPERATURE), np.log(LARGEST_TEMPERATURE)  # of b
    for _ in range(_STEPS):
        middle = (low + high) / 2
        share = torch.softmax(logits_nc * float(np.exp(middle)), dim=1)
        slope = float((share * logits_nc).sum(dim=1).double().mean()) - of_truth
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def calibration_error(logits_nc: Tensor, truth_n: Tensor) -> float:
    """Expected calibration error: mean |accuracy - confidence| over 15 equal bins of confidence, weighted by pixels.

    Args:
        logits_nc: float [N,C], finite.
        truth_n: int64 [N], 0 to C-1.

    Returns:
        0 to 1.
    """
    confidence, winner = torch.softmax(logits_nc, dim=1).max(dim=1)
    # bins (0, 1/15], ..., (14/15, 1]: a confidence of exactly 1 belongs to the last
    place = torch.ceil(confidence.double() * BINS).long().clamp(1, BINS) - 1
    gap = (winner == truth_n).double() - confidence.double()
    return float(torch.zeros(BINS, dtype=torch.float64).index_add_(0, place, gap).abs().sum() / len(truth_n))


def _draw(
    logits_chw: NDArray[np.float32], truth_hw: NDArray[np.uint8], count: int, seed: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Up to `count` valid pixels of a frame: logits float32 [n,C] and truth int64 [n]."""
    if not np.isfinite(logits_chw).all():
        raise CheckpointError(
            f"calibration: expected finite logits, got NaN or infinity in frame {seed[1]}; the network may have "
            "diverged in training: export an earlier checkpoint"
        )
    valid = np.flatnonzero(truth_hw != IGNORE_ID)
    if len(valid) > count:
        valid = np.random.default_rng(seed).choice(valid, count, replace=False, shuffle=False)
    flat = logits_chw.reshape(len(logits_chw), -1)[:, valid].T
    truth = truth_hw.reshape(-1)[valid].astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(flat, np.float32)), torch.from_numpy(truth)


def _logits(trained: TrainedNetwork, frames: Sequence[Frame]) -> Iterator[LogitsAndTruth]:
    normalise = Normalise()
    for frame in track(frames, "calibrating confidence", len(frames)):
        with torch.no_grad():
            logits_nchw = trained.network(normalise(torch.from_numpy(np.ascontiguousarray(frame.image_hwc))[None]))
        yield logits_nchw[0].numpy(), frame.labels_hw
