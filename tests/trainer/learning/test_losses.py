from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch.nn import functional

from runtime.errors import UsageError
from trainer.learning.losses import LossConfig, build_loss, class_weights, cross_entropy_loss, soft_dice_loss


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


@pytest.mark.parametrize("loss", [soft_dice_loss, cross_entropy_loss])
def test_loss_of_infinite_logits_is_that_of_very_large_ones(loss: Callable[..., torch.Tensor]) -> None:
    """An overflow in half precision is a sure answer, right or wrong, with a finite loss; NaN is none and stays NaN."""
    logits = torch.tensor([[[[float("inf"), 0.0]], [[0.0, float("-inf")]]]], requires_grad=True)  # [1,2,1,2]
    right, wrong = torch.tensor([[[0, 0]]]), torch.tensor([[[1, 1]]])
    assert loss(logits, right).item() == pytest.approx(0.0, abs=1e-6)
    largest = {soft_dice_loss: 1 - 1 / 3, cross_entropy_loss: 65504.0}  # Dice: nothing of 2 pixels found, s = 1
    assert loss(logits, wrong).item() == pytest.approx(largest[loss])
    loss(logits, wrong).backward()
    assert torch.isfinite(logits.grad).all()
    assert loss(logits * float("nan"), right).isnan()


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


def entropy_in_float64(
    logits: np.ndarray, truth: np.ndarray, weights: np.ndarray | None, smoothing: float, *, hard: bool
) -> float:
    """The docstring's rule, pixel by pixel in float64; the hardest pixels by sorting."""
    clipped = np.clip(logits, -65504, 65504).transpose(0, 2, 3, 1)[truth != 255]  # [P,C]
    labels, classes = truth[truth != 255].astype(int), logits.shape[1]
    if not labels.size:
        return 0.0
    shifted = clipped - clipped.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    each = np.ones(classes) if weights is None else weights
    own = -logs[np.arange(labels.size), labels]
    losses = (1 - smoothing) * own * each[labels] + smoothing / classes * -(logs * each).sum(1)
    order = np.argsort(-own, kind="stable")
    chosen = order[: max(int((own > -np.log(0.7)).sum()), int(np.ceil(labels.size / 16)))] if hard else order
    return float(losses[chosen].sum() / each[labels[chosen]].sum())


KINDS = ("dice", "cross-entropy", "dice+cross-entropy", "ohem", "dice+ohem")
SCALES = (0.1, 1.0, 30.0, 1e4, 1e30)


def test_build_loss_2000_generated_cases_finite_in_range_and_equal_to_float64() -> None:
    random = np.random.default_rng(7)
    for case in range(2000):
        kind, scale = KINDS[case % 5], SCALES[case // 5 % 5]
        dtype = (torch.float32, torch.float16, torch.bfloat16)[case // 25 % 3]
        classes, height, width = int(random.integers(1, 20)), int(random.integers(1, 24)), int(random.integers(1, 9))
        largest = torch.finfo(dtype).max
        drawn = torch.from_numpy(random.normal(0, scale, (2, classes, height, width))).clamp(-largest, largest)
        logits = drawn.to(dtype).requires_grad_()
        truth = random.integers(0, classes, (2, height, width)).astype(np.uint8)
        truth[random.random(truth.shape) < (0.0, 0.3, 0.99, 1.0)[case // 75 % 4]] = 255
        # pixels that are sure in float32 tie there for the last hard place, in float64 they do not: with weights or
        # smoothing it would matter which of them are taken
        entropy_only = kind != "dice" and not ("ohem" in kind and scale > 1)
        smoothing = 0.1 if entropy_only and random.random() < 0.5 else 0.0
        weights = random.uniform(1.4, 50, classes) if entropy_only and random.random() < 0.5 else None
        config = LossConfig(kind=kind, label_smoothing=smoothing, class_weights="none" if weights is None else "log")
        loss_of = build_loss(config, None if weights is None else torch.from_numpy(weights).float())
        loss = loss_of(logits, torch.from_numpy(truth))
        loss.backward()
        seen, expected = logits.detach().double().numpy(), 0.0
        if "dice" in kind:
            expected += dice_in_float64(seen, truth)
        if kind != "dice":
            expected += entropy_in_float64(seen, truth, weights, smoothing, hard="ohem" in kind)
        told = f"case {case}: {kind}, {dtype}, scale {scale:g}"
        assert loss.dtype == torch.float32, told
        assert 0 <= loss.item() < float("inf"), told
        assert torch.isfinite(logits.grad).all(), told
        assert loss.item() == pytest.approx(expected, abs=1e-3, rel=1e-3), told
        if (truth == 255).all():
            assert loss.item() == 0, told
            assert not logits.grad.any(), told


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_loss_equals_torchs_mean(smoothing: float, weighted: bool) -> None:
    logits, truth = torch.randn(2, 5, 9, 9), torch.randint(0, 5, (2, 9, 9))
    truth[:, 3:5] = 255
    weights = torch.rand(5) + 0.5 if weighted else None
    expected = functional.cross_entropy(logits, truth, weight=weights, ignore_index=255, label_smoothing=smoothing)
    loss = cross_entropy_loss(logits, truth, weights=weights, label_smoothing=smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def pixels_of(probabilities: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and truth of one row of pixels whose true class, 0 of two, has these probabilities."""
    row = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([row.log(), (1 - row).log()])[None, :, None].float(), torch.zeros(
        1, 1, len(row), dtype=torch.uint8
    )


def test_cross_entropy_loss_hard_only_takes_the_pixels_below_the_confidence() -> None:
    logits, truth = pixels_of([0.5, 0.2, 0.71, 0.99])
    loss = cross_entropy_loss(logits, truth, hard_only=True).item()
    assert loss == pytest.approx(-(np.log(0.5) + np.log(0.2)) / 2, rel=1e-5)


def test_cross_entropy_loss_hard_only_takes_a_sixteenth_at_least() -> None:
    logits, truth = pixels_of([0.8, 0.9] + [0.95] * 30)  # two of 32
    loss = cross_entropy_loss(logits, truth, hard_only=True).item()
    assert loss == pytest.approx(-(np.log(0.8) + np.log(0.9)) / 2, rel=1e-5)


def test_cross_entropy_loss_hard_only_ties_do_not_dilute() -> None:
    logits, truth = torch.zeros(1, 2, 1, 64), torch.zeros(1, 1, 64, dtype=torch.uint8)
    logits[:, 0] = 200.0  # so sure that float32's loss is 0 exactly, for all but one of the 64
    logits[:, 0, :, 0] = -4.0
    loss = cross_entropy_loss(logits, truth, hard_only=True).item()
    assert loss == pytest.approx(np.log1p(np.exp(4.0)) / 4, rel=1e-5)  # one wrong pixel among the hardest four


def test_cross_entropy_loss_hard_only_chooses_by_probability_whatever_the_weights() -> None:
    logits, truth = torch.tensor([[[[0.0, 3.0]], [[0.0, 0.0]]]]), torch.tensor([[[1, 0]]])  # own class: 0.5 and 0.95
    loss = cross_entropy_loss(logits, truth, weights=torch.tensor([50.0, 1.4]), hard_only=True).item()
    assert loss == pytest.approx(np.log(2), rel=1e-5)


def test_class_weights_by_hand() -> None:
    shares = torch.tensor([0.0, 1.0, 0.25])
    log, mild = class_weights("log", shares), class_weights("mild", shares)
    assert log is not None
    assert mild is not None
    assert log.tolist() == pytest.approx([50.4983, 1.42222, 1 / np.log(1.27)], rel=1e-4)
    assert mild.tolist() == pytest.approx([7.10622, 1.19257, 2.04546], rel=1e-4)
    assert class_weights("none", shares) is None


def test_build_loss_sum_is_the_sum_of_both() -> None:
    logits, truth = torch.randn(2, 5, 9, 9), torch.randint(0, 5, (2, 9, 9))
    both = build_loss(LossConfig(kind="dice+cross-entropy"))(logits, truth).item()
    assert both == pytest.approx((soft_dice_loss(logits, truth) + functional.cross_entropy(logits, truth)).item())


def test_build_loss_under_autocast_computes_in_float32() -> None:
    logits, truth = torch.randn(2, 7, 32, 32), torch.randint(0, 7, (2, 32, 32))
    loss = build_loss(LossConfig(kind="dice+ohem"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, truth)
    assert inside.dtype == torch.float32
    assert inside.item() == loss(logits, truth).item()


def test_build_loss_weights_that_were_not_asked_for_are_refused() -> None:
    with pytest.raises(UsageError, match="got --class-weights none with weights"):
        build_loss(LossConfig(), torch.ones(3))
    with pytest.raises(UsageError, match="got --class-weights log without weights"):
        build_loss(LossConfig(kind="ohem", class_weights="log"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "focal"}, "--loss must be one of dice, .*, got 'focal'"),
        ({"kind": "ohem", "class_weights": "square"}, "--class-weights must be one of none, mild, log, got 'square'"),
        ({"kind": "ohem", "label_smoothing": 1.0}, "--label-smoothing must be from 0 to below 1, got 1"),
        ({"kind": "ohem", "label_smoothing": float("nan")}, "got nan"),
        ({"label_smoothing": 0.1}, "got --loss dice; give --loss dice"),
        ({"class_weights": "log"}, "got --loss dice; give --loss dice"),
    ],
)
def test_loss_config_impossible_settings_are_refused(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LossConfig(**values)
