"""The network's logits to label bytes and confidence bytes, as a torch module that is traced into the graph."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.spec import IGNORE_ID
from trainer.networks.ends import LARGEST_HALF, labels_from_logits


class Back(nn.Module):
    """Logits to labels, and to confidence where asked; what is not finite gets label 255 and confidence 0.

    Args:
        old: height and width of the logits.
        new: height and width of the labels.
        labels_from: what is enlarged for that: "logits", bilinearly, or "labels", to the nearest.
        temperature: divides the logits before the softmax of the confidence, over 0; None for no confidence.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self, old: tuple[int, int], new: tuple[int, int], *, labels_from: str, temperature: float | None
    ) -> None:
        super().__init__()
        self.new = new
        self.temperature = temperature
        self.from_logits = old != new and labels_from == "logits"
        self.from_labels = old != new and labels_from == "labels"
        self.register_buffer("rows", nearest(old[0], new[0]), persistent=False)
        self.register_buffer("columns", nearest(old[1], new[1]), persistent=False)

    def forward(self, logits_nchw: Tensor) -> dict[str, Tensor]:
        """Float logits [N,C,h,w] -> uint8 [N,H,W] by name: "labels" and, where asked for, "confidence"."""
        if self.from_logits:
            logits_nchw, finite_nhw = self._enlarged(logits_nchw)
            found = {"labels": _where(finite_nhw, logits_nchw.argmax(dim=1), IGNORE_ID)}
        else:
            finite_nhw = finite_pixels(logits_nchw).bool()  # the exporter merges this with the next one's
            found = {"labels": labels_from_logits(logits_nchw)}
        if self.temperature is not None:
            winning = winning_softmax(logits_nchw, self.temperature)
            found["confidence"] = _where(finite_nhw, torch.round(255.0 * winning), 0)
        if self.from_labels:
            # columns first: gathering along the innermost axis is slow, and there are fewer rows yet
            found = {
                name: values.index_select(2, self.columns).index_select(1, self.rows) for name, values in found.items()
            }
        return found

    def _enlarged(self, logits_nchw: Tensor) -> tuple[Tensor, Tensor]:
        """Enlarges logits, and says where all that went into them were finite.

        What is not finite is told and taken out before: NaN times a weight of 0 would be NaN, and an argmax over NaN is
        a class. Checking the few logits of the network costs a fraction of checking those of a camera's size.

        Returns:
            float [N,C,H,W], all finite, and bool [N,H,W].
        """
        finite = finite_pixels(logits_nchw).unsqueeze(1)
        logits_nchw = torch.where(finite.bool(), logits_nchw, 0.0)
        touched = functional.interpolate(1.0 - finite, self.new, mode="bilinear", align_corners=False)
        enlarged = functional.interpolate(logits_nchw, self.new, mode="bilinear", align_corners=False)
        return enlarged, touched.squeeze(1) <= 0.0


def finite_pixels(logits_nchw: Tensor) -> Tensor:
    """1 where all logits of a pixel are finite, else 0, by the rule of `labels_from_logits`: float [N,h,w]."""
    return (logits_nchw.abs() <= LARGEST_HALF).float().amin(dim=1)


def nearest(old_px: int, new_px: int) -> Tensor:
    """For each new pixel the old one that its centre lies in: int64 [new_px].

    Said as a list of places, because engines round a tie in Resize's "nearest" in several ways.
    """
    return (2 * torch.arange(new_px) + 1) * old_px // (2 * new_px)


def winning_softmax(logits_nchw: Tensor, temperature: float) -> Tensor:
    """The largest softmax of each pixel, 1/C to 1.

    Written out, because ONNX Runtime's Softmax over the channel axis takes ten times as long on CPUs.

    Args:
        logits_nchw: float [N,C,H,W].
        temperature: divides them first; over 0.

    Returns:
        float [N,H,W]; NaN where a logit is not finite.
    """
    below = logits_nchw - logits_nchw.amax(dim=1, keepdim=True)
    if temperature != 1.0:
        below = below / temperature
    return torch.exp(below).sum(dim=1).reciprocal()


def _where(fine_nhw: Tensor, values_nhw: Tensor, otherwise: int) -> Tensor:
    return torch.where(fine_nhw, values_nhw.to(torch.uint8), otherwise)
