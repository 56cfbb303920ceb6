"""Several views of one frame, mirrored and at other sizes, answered as one: better labels for more time."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Views:
    """Which views are averaged.

    Attributes:
        flip: each view mirrored as well.
        scales: sizes over the network's own, 0.25 to 4; brought to the nearest multiples of its stride.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for scale in self.scales:
            if not 0.25 <= scale <= 4:
                raise UsageError(f"--scales must be from 0.25 to 4, got {scale:g}; for example --scales 0.75,1,1.25")
        if not self.scales or len(set(self.scales)) < len(self.scales):
            raise UsageError(f"--scales must be different numbers, at least one, got {list(self.scales)}")

    @property
    def count(self) -> int:
        """How often the network runs for a frame."""
        return len(self.scales) * (2 if self.flip else 1)


class AveragedViews(nn.Module):
    """A network's probabilities, averaged over views: normalised float [N,3,H,W] -> float32 [N,C,H,W], 0..1.

    The views are made of the frame at the network's size, which is all that a vehicle has: a larger one adds no detail.
    Where a view has a logit that is not finite, the average is NaN.

    Args:
        network: normalised float [N,3,H,W] -> logits [N,C,H,W].
        views: which.
        stride_px: what the network's input sizes are multiples of.
    """

    def __init__(self, network: nn.Module, views: Views, stride_px: int) -> None:
        super().__init__()
        self.network = network
        self.views = views
        self.stride_px = stride_px

    def forward(self, image_nchw: Tensor) -> Tensor:
        """See the class for shapes."""
        total = torch.zeros((), device=image_nchw.device)
        for scale in self.views.scales:
            image = self._resized(image_nchw, scale)
            total = total + self._probabilities(image, image_nchw)
            if self.views.flip:
                total = total + self._probabilities(image.flip(-1), image_nchw).flip(-1)
        return total / self.views.count

    def _probabilities(self, view_nchw: Tensor, like_nchw: Tensor) -> Tensor:
        logits = self.network(view_nchw).float()
        usable = logits.isfinite().all(dim=1, keepdim=True)
        probabilities = torch.where(usable, logits.softmax(dim=1), torch.nan)
        size = like_nchw.shape[-2:]
        if probabilities.shape[-2:] == size:
            return probabilities
        return functional.interpolate(probabilities, size=size, mode="bilinear", antialias=True)

    def _resized(self, image_nchw: Tensor, scale: float) -> Tensor:
        height_px, width_px = (self._side(side, scale) for side in image_nchw.shape[-2:])
        if (height_px, width_px) == tuple(image_nchw.shape[-2:]):
            return image_nchw
        return functional.interpolate(image_nchw, size=(height_px, width_px), mode="bilinear", antialias=True)

    def _side(self, side_px: int, scale: float) -> int:
        """The multiple of the stride that is nearest, at least two of it: batch norm's deepest stage needs no less."""
        return max(2, math.floor(side_px * scale / self.stride_px + 0.5)) * self.stride_px
