"""Atrous spatial pyramid pooling.

Chen et al. 2017, "Rethinking atrous convolution for semantic image segmentation".
"""

import torch
from torch import Tensor, nn


class ASPP(nn.Module):
    """Looks at one map at several scales at once: [N,in,H,W] -> [N,out,H,W].

    A 1x1 convolution, a 3x3 convolution per rate and the mean over the whole map, side by side, then a 1x1 convolution
    over all of them. A rate as large as the map leaves only the middle of its nine weights: the paper's 6, 12 and 18
    are for maps of 33x33 and up; on 8x8 to 32x32 pixels 2, 4 and 6 still find something.

    Differences from the paper: the branch of the mean has a bias in place of batch norm, which at one value per image
    has little to go by and refuses a batch of one; the mean is repeated over the map, which is what enlarging a 1x1 map
    comes to, without a Resize in the exported graph.

    Args:
        in_channels: of the map.
        out_channels: of the result.
        rates: dilation of each 3x3 convolution, >= 1.
        branch_channels: of each of the branches; None for `out_channels`, as the paper has it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rates: tuple[int, ...] = (6, 12, 18),
        *,
        branch_channels: int | None = None,
    ) -> None:
        super().__init__()
        branch = out_channels if branch_channels is None else branch_channels
        self.point = nn.Sequential(
            nn.Conv2d(in_channels, branch, 1, bias=False), nn.BatchNorm2d(branch), nn.ReLU(inplace=True)
        )
        self.atrous = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels, branch, 3, padding=rate, dilation=rate, bias=False),
                nn.BatchNorm2d(branch),
                nn.ReLU(inplace=True),
            )
            for rate in rates
        )
        self.whole = nn.Sequential(nn.Conv2d(in_channels, branch, 1), nn.ReLU(inplace=True))
        self.join = nn.Sequential(
            nn.Conv2d((2 + len(rates)) * branch, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """See the class for shapes."""
        whole = self.whole(features.mean(dim=(2, 3), keepdim=True))  # [N,branch,1,1]
        spread = whole.expand(-1, -1, features.shape[2], features.shape[3])
        branches = [self.point(features), *(branch(features) for branch in self.atrous), spread]
        joined: Tensor = self.join(torch.cat(branches, dim=1))
        return joined
