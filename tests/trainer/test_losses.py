import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from trainer.losses import soft_dice_loss


def dice_in_float64(logits: np.ndarray, truth: np.ndarray, ignore_id: int = 255, smoothing: float = 1.0) -> float:
    """The docstring's equations, pixel by pixel in float64."""
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    terms = []
    for label in range(logits.shape[1]):
        p = probabilities[:, label][truth != ignore_id]
        t = (truth[truth != ignore_id] == label).astype(float)
        if t.sum() > 0:
            terms.append(1 - (2 * (p * t).sum() + smoothing) / (p.sum() + t.sum() + smoothing))
    return float(np.mean(terms)) if terms else 0.0


def test_soft_dice_loss_two_pixels_by_hand_gives_a_quarter() -> None:
    # two pixels of class 0, both predicted 0.5 / 0.5: dice_0 = (2 * 1 + 1) / (1 + 2 + 1) = 3/4; class 1 is absent
    loss = soft_dice_loss(torch.zeros(1, 2, 1, 2), torch.zeros(1, 1, 2, dtype=torch.uint8))
    assert loss.item() == pytest.approx(0.25)


def test_soft_dice_loss_certain_predictions_equals_f1_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, (2, 64, 64))
    predicted = np.where(random.random(truth.shape) < 0.7, truth, random.integers(0, 4, truth.shape))
    logits = 200.0 * torch.nn.functional.one_hot(torch.from_numpy(predicted), 4).movedim(-1, 1).float()
    expected = f1_score(truth.ravel(), predicted.ravel(), average="macro")
    # smoothing of one pixel among thousands per class moves it by less than 1e-3
    assert 1 - soft_dice_loss(logits, torch.from_numpy(truth)).item() == pytest.approx(expected, abs=1e-3)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 20),
    height=st.integers(1, 40),
    scale=st.sampled_from([0.1, 1.0, 30.0, 1e4]),
    ignored=st.sampled_from([0.0, 0.3, 1.0]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_soft_dice_loss_generated_cases_finite_and_equal_to_float64(
    seed: int, classes: int, height: int, scale: float, ignored: float, dtype: torch.dtype
) -> None:
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(0, scale, (2, classes, height, 7))).to(dtype).requires_grad_()
    truth = random.integers(0, classes, (2, height, 7)).astype(np.uint8)
    truth[random.random(truth.shape) < ignored] = 255
    loss = soft_dice_loss(logits, torch.from_numpy(truth))
    loss.backward()
    assert loss.dtype == torch.float32
    assert 0 <= loss.item() <= 1
    assert torch.isfinite(logits.grad).all()
    assert loss.item() == pytest.approx(dice_in_float64(logits.detach().double().numpy(), truth), abs=1e-3)


def test_soft_dice_loss_half_logits_of_256x256_stay_finite() -> None:
    # the sum of a plane of ones is 65,536, beyond the largest half
    logits = torch.zeros(1, 1, 256, 256, dtype=torch.float16)
    assert torch.ones(256, 256, dtype=torch.float16).sum().isinf()
    assert soft_dice_loss(logits, torch.zeros(1, 256, 256, dtype=torch.uint8)).item() == pytest.approx(0.0, abs=1e-6)


def test_soft_dice_loss_under_autocast_computes_in_float32() -> None:
    logits, truth = torch.randn(2, 7, 32, 32), torch.randint(0, 7, (2, 32, 32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = soft_dice_loss(logits, truth)
    assert inside.dtype == torch.float32
    assert inside.item() == soft_dice_loss(logits, truth).item()


def test_soft_dice_loss_ignored_pixels_change_nothing() -> None:
    logits, truth = torch.randn(1, 3, 8, 8), torch.randint(0, 3, (1, 8, 8))
    truth[:, :, 4:] = 255
    changed = logits.clone()
    changed[..., 4:] += 50 * torch.randn(1, 3, 8, 4)
    assert soft_dice_loss(logits, truth).item() == pytest.approx(soft_dice_loss(changed, truth).item(), abs=1e-6)


def test_soft_dice_loss_all_ignored_is_zero_with_zero_gradient() -> None:
    logits = torch.randn(2, 5, 4, 4, requires_grad=True)
    loss = soft_dice_loss(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
