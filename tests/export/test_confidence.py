"""Calibration against torchmetrics and against labels drawn from a known softmax."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from export.confidence import ConfidenceFit, calibrate, calibration_error, fit_temperature
from runtime.errors import CheckpointError, DataError, UsageError


def drawn(count: int, classes: int, factor: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N,C] of a network that is `factor` times too sure: truth is drawn from the softmax of what they were."""
    random = torch.Generator().manual_seed(seed)
    honest = torch.randn(count, classes, generator=random) * 2
    truth = torch.multinomial(torch.softmax(honest, 1), 1, generator=random)[:, 0]
    return honest * factor, truth


def as_frames(logits: torch.Tensor, truth: torch.Tensor, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pixels as `count` frames of 20 rows."""
    height, classes = 20, logits.shape[1]
    planes = logits.reshape(count, height, -1, classes).permute(0, 3, 1, 2).numpy()
    return list(zip(planes, truth.reshape(count, height, -1).numpy().astype(np.uint8), strict=True))


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 7, 19])
def test_fit_temperature_of_scaled_logits_returns_the_scale(factor, classes):
    assert fit_temperature(*drawn(40_000, classes, factor)) == pytest.approx(factor, rel=0.03)


def test_fit_temperature_has_the_least_likelihood_loss_of_its_neighbours():
    logits, truth = drawn(5_000, 7, 2.5)
    best = fit_temperature(logits, truth)
    loss = [torch.nn.functional.cross_entropy(logits.double() / (best * step), truth) for step in (0.98, 1.0, 1.02)]
    assert loss[1] < loss[0]
    assert loss[1] < loss[2]


def test_fit_temperature_of_a_network_that_is_never_wrong_stays_in_its_range():
    logits = torch.eye(3).repeat(10, 1)
    assert fit_temperature(logits, logits.argmax(1)) == pytest.approx(1 / 16)
    assert fit_temperature(logits, logits.argmin(1)) == pytest.approx(16)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_calibration_error_agrees_with_torchmetrics(factor):
    logits, truth = drawn(20_000, 7, factor, seed=3)
    theirs = multiclass_calibration_error(torch.softmax(logits, 1), truth, num_classes=7, n_bins=15, norm="l1")
    assert calibration_error(logits, truth) == pytest.approx(float(theirs), abs=1e-5)  # theirs adds in float32


def test_calibration_error_counts_full_confidence_in_the_last_bin():
    # sure of class 0 each time, right three times of four
    logits = torch.tensor([[200.0, 0.0]] * 4)
    assert calibration_error(logits, torch.tensor([0, 0, 0, 1])) == pytest.approx(0.25)


def test_calibrate_overconfident_frames_lowers_the_error_on_the_other_half():
    frames = as_frames(*drawn(80_000, 7, 3.0), 8)
    result = calibrate(frames, 8)
    assert result.temperature == pytest.approx(3.0, rel=0.03)
    assert result.ece_before > 0.1
    assert result.ece_after < 0.01
    assert (result.frames, result.pixels) == (8, 80_000)
    assert set(result.document()) == {"temperature", "ece_before", "ece_after", "frames", "pixels"}


def test_calibrate_fits_even_frames_and_measures_odd_ones():
    sure, unsure = as_frames(*drawn(20_000, 5, 4.0), 2), as_frames(*drawn(20_000, 5, 1.0, seed=1), 2)
    mixed = [sure[0], unsure[1], sure[1], unsure[0]]
    result = calibrate(mixed, 4)
    assert result.temperature == pytest.approx(4.0, rel=0.05)
    assert result.ece_before < 0.02  # the odd frames were honest, and are spoilt by the even ones' temperature
    assert result.ece_after > 0.2


def test_calibrate_leaves_ignored_pixels_out():
    frames = as_frames(*drawn(40_000, 7, 2.0), 4)
    for _, truth in frames:
        truth[:10] = (truth[:10] + 3) % 7  # wrong everywhere
    spoilt = calibrate(frames, 4)
    for _, truth in frames:
        truth[:10] = 255
    clean = calibrate(frames, 4)
    assert clean.pixels == 20_000
    assert clean.temperature == pytest.approx(2.0, rel=0.05)
    assert spoilt.temperature > 4


def test_calibrate_draws_no_more_than_asked_and_the_same_each_time():
    frames = as_frames(*drawn(80_000, 7, 3.0), 8)
    one, two = calibrate(frames, 8, pixels=8_000), calibrate(iter(frames), 8, pixels=8_000)
    assert one == two
    assert one.pixels == 8_000
    assert one != calibrate(frames, 8, pixels=8_000, seed=1)
    assert one.temperature == pytest.approx(3.0, rel=0.1)


def test_calibrate_refuses_what_it_can_not_use():
    frames = as_frames(*drawn(4_000, 3, 1.0), 2)
    with pytest.raises(DataError, match="at least 2 frames, one to fit and one to measure, got 1"):
        calibrate(frames[:1], 1)
    with pytest.raises(UsageError, match="got 1 for 2 frames"):
        calibrate(frames, 2, pixels=1)
    with pytest.raises(DataError, match="a truth in the odd frames, got none"):
        calibrate([frames[0], (frames[1][0], np.full_like(frames[1][1], 255))], 2)
    broken = frames[1][0].copy()
    broken[0, 3, 3] = np.nan
    with pytest.raises(CheckpointError, match="NaN or infinity in frame 1"):
        calibrate([frames[0], (broken, frames[1][1])], 2)


def test_confidence_fit_is_frozen():
    done = ConfidenceFit(temperature=1.0, ece_before=0.1, ece_after=0.1, frames=2, pixels=10)
    with pytest.raises(AttributeError, match="temperature"):
        done.temperature = 2.0  # type: ignore[misc]
