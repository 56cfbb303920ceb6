"""Attention gate on a skip connection.

Oktay et al. 2018, "Attention U-Net: Learning where to look for the pancreas".
"""

from torch import Tensor, nn
from torch.nn import functional


class AttentionGate(nn.Module):
    """Weighs each place of a skip by what the deeper map says of it: skip [N,c,2H,2W], deep [N,d,H,W] -> [N,c,2H,2W].

    Additive attention, as in the paper: weight = sigmoid(psi(relu(W_x skip + W_g deep + b))), found at the deeper map's
    resolution and enlarged bilinearly; one weight per place, the same for all channels.

    Args:
        channels: of the skip, c; half as many, at least one, inside.
        deep_channels: of the deeper map, d.
    """

    def __init__(self, channels: int, deep_channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.of_skip = nn.Conv2d(channels, inner, 2, stride=2, bias=False)
        self.of_deep = nn.Conv2d(deep_channels, inner, 1)
        self.weigh = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, deep: Tensor) -> Tensor:
        """See the class for shapes."""
        both = functional.relu(self.of_skip(skip) + self.of_deep(deep))
        weight = self.weigh(both).sigmoid()  # [N,1,H,W], 0..1
        return skip * functional.interpolate(weight, scale_factor=2.0, mode="bilinear", align_corners=False)
