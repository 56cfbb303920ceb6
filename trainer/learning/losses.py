"""Losses of segmentation training: float32 whatever the network computes in, finite for any logits but NaN."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from runtime.errors import UsageError
from runtime.spec import IGNORE_ID

LossKind = Literal["dice", "cross-entropy", "dice+cross-entropy", "ohem", "dice+ohem"]
ClassWeights = Literal["none", "mild", "log"]
Loss = Callable[[Tensor, Tensor], Tensor]  # logits [N,C,H,W], truth [N,H,W] -> scalar float32

SMOOTHING_PX = 1.0
LARGEST_LOGIT = 65504.0  # beyond it a cross entropy could overflow; the exported file calls such a logit no answer
OHEM_CONFIDENCE = 0.7
OHEM_SMALLEST_SHARE = 1 / 16
LOG_WEIGHT_OFFSET = 1.02


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimised.

    Attributes:
        kind: "dice", "cross-entropy", "ohem" (cross entropy of the hard pixels), or the sum of two.
        label_smoothing: of the cross entropy, 0 to below 1 (Szegedy et al. 2016); Dice knows none.
        class_weights: of the cross entropy: "none", or "log": 1 / ln(1.02 + share of the class among the training
            split's valid pixels) (Paszke et al. 2016, "ENet"), or "mild", the square root of that.
    """

    kind: LossKind = "dice"
    label_smoothing: float = 0.0
    class_weights: ClassWeights = "none"

    def __post_init__(self) -> None:
        if self.kind not in get_args(LossKind):
            raise UsageError(f"--loss must be one of {', '.join(get_args(LossKind))}, got {self.kind!r}")
        if self.class_weights not in get_args(ClassWeights):
            raise UsageError(
                f"--class-weights must be one of {', '.join(get_args(ClassWeights))}, got {self.class_weights!r}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"--label-smoothing must be from 0 to below 1, got {self.label_smoothing:g}; try 0.1")
        if self.kind == "dice" and (self.label_smoothing or self.class_weights != "none"):
            raise UsageError(
                "--label-smoothing and --class-weights are for losses with a cross entropy, got --loss dice; "
                "give --loss dice+cross-entropy, or leave them out"
            )


def build_loss(config: LossConfig, weights: Tensor | None = None) -> Loss:
    """The loss as one function of logits [N,C,H,W] and truth [N,H,W].

    Args:
        config: which.
        weights: float32 [C] of the cross entropy on the logits' device; None for all alike. Otherwise
            `class_weights(config, torch.from_numpy(class_shares(dataset)))`, `class_shares` out of `trainer.data`.

    Raises:
        UsageError: class weights are asked for and not given, or given and not asked for.
    """
    if (config.class_weights == "none") != (weights is None):
        raise UsageError(
            f"expected class weights for --class-weights log or mild and for nothing else, got --class-weights "
            f"{config.class_weights} {'without' if weights is None else 'with'} weights; see build_loss"
        )

    def entropy(logits_nchw: Tensor, truth_nhw: Tensor) -> Tensor:
        hard = config.kind in ("ohem", "dice+ohem")
        return cross_entropy_loss(
            logits_nchw, truth_nhw, weights=weights, label_smoothing=config.label_smoothing, hard_only=hard
        )

    if config.kind == "dice":
        return soft_dice_loss
    if config.kind.startswith("dice+"):
        return lambda logits_nchw, truth_nhw: soft_dice_loss(logits_nchw, truth_nhw) + entropy(logits_nchw, truth_nhw)
    return entropy


def class_weights(kind: ClassWeights, shares: Tensor) -> Tensor | None:
    """Weights of the cross entropy by how rare a class is; see `LossConfig.class_weights`.

    Args:
        kind: which rule.
        shares: float [C], of the valid pixels, 0..1.

    Returns:
        float32 [C]; None for "none".
    """
    log = 1.0 / torch.log(LOG_WEIGHT_OFFSET + shares.float())
    return {"none": None, "mild": log.sqrt(), "log": log}[kind]


def cross_entropy_loss(
    logits_nchw: Tensor,
    truth_nhw: Tensor,
    ignore_id: int = IGNORE_ID,
    *,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    hard_only: bool = False,
) -> Tensor:
    """Cross entropy over the valid pixels of the whole batch, weighted mean.

    `hard_only` is online hard example mining (Shrivastava, Gupta, Girshick 2016; with the threshold as in Pohlen et al.
    2017, "FRRN" and its successors): only pixels whose true class has a probability below 0.7 count, and of a batch
    that has fewer of them than a sixteenth of its valid pixels, the hardest sixteenth.

    Args:
        logits_nchw: float [N,C,H,W]; taken as at most 65504 in magnitude.
        truth_nhw: uint8 or int64 [N,H,W], 0..C-1 or `ignore_id`.
        ignore_id: pixels with this truth count nowhere.
        weights: float32 [C]; the mean is over the weights of the pixels' true classes.
        label_smoothing: 0 to below 1.
        hard_only: see above.

    Returns:
        Scalar float32, 0 or more; 0 with zero gradients where no pixel of the batch is valid.
    """
    with torch.autocast(device_type=logits_nchw.device.type, enabled=False):
        logits = logits_nchw.float().clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
        truth = truth_nhw.long()
        losses = functional.cross_entropy(
            logits,
            truth,
            weight=weights,
            ignore_index=ignore_id,
            reduction="none",
            label_smoothing=label_smoothing,
        )  # [N,H,W], 0 where ignored
        valid = truth != ignore_id
        known = torch.where(valid, truth, 0)  # an id that is safe to index with
        share = valid.float() if weights is None else weights[known] * valid
        if hard_only:
            own = -logits.detach().log_softmax(dim=1).gather(1, known.unsqueeze(1)).squeeze(1)
            hard = _hard_pixels(own, valid)
            share, losses = share * hard, losses * hard
        total = share.sum()
        # 0 * losses keeps the graph, so that a batch without a valid pixel has a gradient: zero
        loss: Tensor = losses.sum() / torch.where(total > 0, total, 1.0)
        return loss


def _hard_pixels(losses_nhw: Tensor, valid_nhw: Tensor) -> Tensor:
    """1 where a pixel is hard, else 0, float32 [N,H,W]; pixels that tie for the last places share these evenly.

    Args:
        losses_nhw: float32, -log of the probability of each pixel's true class, whatever the weights and the smoothing.
        valid_nhw: bool.
    """
    wanted = math.ceil(int(valid_nhw.sum()) * OHEM_SMALLEST_SHARE)
    if wanted == 0:
        return valid_nhw.float()
    scored = torch.where(valid_nhw, losses_nhw, -1.0)
    hard = scored > -math.log(OHEM_CONFIDENCE)
    if int(hard.sum()) >= wanted:
        return hard.float()
    last = scored.flatten().kthvalue(scored.numel() - wanted + 1).values  # the loss of the last pixel that is wanted
    above, tied = scored > last, scored == last
    # confident pixels tie at 0 by the thousand: all of them at full weight would dilute the hard ones
    return above.float() + tied.float() * ((wanted - above.sum()) / tied.sum())


def soft_dice_loss(logits_nchw: Tensor, truth_nhw: Tensor, ignore_id: int = IGNORE_ID) -> Tensor:
    """Multi-class soft Dice over the valid pixels of the whole batch.

    With p the softmax of the logits, t the one-hot truth, and sums over every valid pixel i of the batch::

        dice_c = (2 * sum_i p_ic * t_ic + s) / (sum_i p_ic + sum_i t_ic + s)        loss = 1 - mean_c dice_c

    The mean goes over the classes that occur in the batch's truth. A class absent from it has no overlap to gain: its
    dice_c would only push p_c to 0, which the classes present do already, since the softmax sums to 1. The smoothing
    s = 1 pixel keeps the quotient and its gradient finite and weighs nothing against a class of a hundred pixels.

    The denominator is the plain sum (Drozdzal et al. 2016; Sudre et al. 2017, unweighted), not the sum of squares of
    V-Net (Milletari, Navab, Ahmadi 2016), whose gradient fades for small p. Dice is not Jaccard (IoU): for counts,
    dice = 2 * iou / (1 + iou). Both rank alike and share their optimum, but Dice is the larger of the two in between,
    so 1 - loss must not be read as a mean IoU.

    Always computed in float32 with autocast off: the pixel sum of a 256x256 plane overflows float16.

    Args:
        logits_nchw: float [N,C,H,W].
        truth_nhw: uint8 or int64 [N,H,W], 0..C-1 or `ignore_id`.
        ignore_id: pixels with this truth count nowhere.

    Returns:
        Scalar float32 in [0, 1]; 0 with zero gradients where no pixel of the batch is valid.
    """
    with torch.autocast(device_type=logits_nchw.device.type, enabled=False):
        largest = torch.finfo(torch.float32).max
        logits = logits_nchw.float().clamp(-largest, largest)  # an infinite one would make the softmax NaN
        dice, present = _dice_per_class(logits, truth_nhw.long(), ignore_id)
        loss: Tensor = (present * (1.0 - dice)).sum() / present.sum().clamp(min=1.0)
        return loss


def _dice_per_class(logits_nchw: Tensor, truth_nhw: Tensor, ignore_id: int) -> tuple[Tensor, Tensor]:
    """Returns dice float32 [C] and a float32 [C] that is 1 where the class occurs in the truth."""
    class_count = logits_nchw.shape[1]
    valid = truth_nhw != ignore_id  # [N,H,W]
    target = functional.one_hot(torch.where(valid, truth_nhw, 0), class_count).movedim(-1, 1)  # [N,C,H,W]
    weight = valid.unsqueeze(1).float()
    probability = logits_nchw.softmax(dim=1) * weight
    target = target * weight
    pixels = (0, 2, 3)
    overlap = (probability * target).sum(pixels)
    total = probability.sum(pixels) + target.sum(pixels)
    dice = (2.0 * overlap + SMOOTHING_PX) / (total + SMOOTHING_PX)
    return dice, (target.sum(pixels) > 0).float()
