"""Losses of segmentation training: float32 whatever the network computes in, finite for any finite logits."""

import torch
from torch import Tensor
from torch.nn import functional

from runtime.spec import IGNORE_ID

SMOOTHING_PX = 1.0


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
        dice, present = _dice_per_class(logits_nchw.float(), truth_nhw.long(), ignore_id)
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
