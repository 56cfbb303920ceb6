"""U-Net (Ronneberger, Fischer, Brox: "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015).

Differences from the paper: padded convolutions, so that the logits have the input's size; batch norm after each
convolution (Ioffe, Szegedy 2015); width and depth are numbers.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import UsageError
from trainer.networks.aspp import ASPP
from trainer.networks.attention import AttentionGate

UpMode = Literal["learned", "bilinear"]
Bottleneck = Literal["plain", "aspp"]
ASPP_RATES = (2, 4, 6)  # for the 8x8 to 32x32 pixels that depth 4 leaves of an image of 128x128 to 512x512


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Shape of a U-Net.

    Attributes:
        width: channels of the first stage; each stage below has twice as many.
        depth: times the resolution is halved.
        up: transposed 2x2 convolution ("learned") or bilinear enlargement and a 1x1 convolution ("bilinear").
        attention: each skip through an attention gate (attention.py).
        bottleneck: the deepest map as it is ("plain") or through a pyramid of atrous convolutions ("aspp", aspp.py).
    """

    width: int = 16
    depth: int = 4
    up: UpMode = "learned"
    attention: bool = False
    bottleneck: Bottleneck = "plain"

    def __post_init__(self) -> None:
        if self.width < 1 or not 1 <= self.depth <= 8:
            raise UsageError(
                f"a U-Net needs width >= 1 and depth 1 to 8, got width {self.width} and depth {self.depth}; "
                "the defaults are --width 16 --depth 4"
            )
        if self.up not in ("learned", "bilinear"):
            raise UsageError(f"a U-Net goes up 'learned' or 'bilinear', got {self.up!r}; give --up one of the two")
        if self.bottleneck not in get_args(Bottleneck):
            raise UsageError(f"a U-Net's bottleneck is 'plain' or 'aspp', got {self.bottleneck!r}; give one of the two")

    @property
    def stride_px(self) -> int:
        """Height and width must be multiples of this."""
        return 2**self.depth


def require_size(height_px: int, width_px: int, stride_px: int) -> None:
    """Refuses a size that the network's halvings do not divide, naming the nearest sizes that they do.

    Raises:
        UsageError: height or width is no multiple of `stride_px`, or below twice that.
    """
    smallest = 2 * stride_px  # at one pixel in the deepest stage a batch of one image leaves batch norm a single value
    if min(height_px, width_px) >= smallest and height_px % stride_px == 0 and width_px % stride_px == 0:
        return

    def nearest(value: int, *, up: bool) -> int:
        return max(smallest, (-(-value // stride_px) if up else value // stride_px) * stride_px)

    smaller = f"{nearest(width_px, up=False)}x{nearest(height_px, up=False)}"
    larger = f"{nearest(width_px, up=True)}x{nearest(height_px, up=True)}"
    choices = smaller if smaller == larger else f"{smaller} or {larger}"
    raise UsageError(
        f"--size must be a multiple of {stride_px} and at least {smallest} in width and height for this network, "
        f"got {width_px}x{height_px}; "
        f"the nearest that fit: {choices}"
    )


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU: [N,in,H,W] -> [N,out,H,W]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """Doubles the resolution, joins the skip, convolves: [N,2c,H,W] and skip [N,c,2H,2W] -> [N,c,2H,2W]."""

    def __init__(self, channels: int, mode: UpMode, *, attention: bool = False) -> None:
        super().__init__()
        self.enlarge: nn.Module
        if mode == "learned":
            self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        else:
            # 1x1 first: the same linear map as after the enlargement, at a quarter of the cost
            self.enlarge = nn.Sequential(nn.Conv2d(2 * channels, channels, 1), Bilinear())
        self.convolve = DoubleConv(2 * channels, channels)
        self.gate = AttentionGate(channels, 2 * channels) if attention else None

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """See the class for shapes."""
        if self.gate is not None:
            skip = self.gate(skip, deep)
        joined: Tensor = self.convolve(torch.cat([skip, self.enlarge(deep)], dim=1))
        return joined


class Bilinear(nn.Module):
    """Doubles height and width bilinearly, pixel centres aligned (half-pixel convention)."""

    def forward(self, features: Tensor) -> Tensor:
        """[N,C,H,W] -> [N,C,2H,2W]."""
        return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


class UNet(nn.Module):
    """Encoder and decoder with skips.

    Args:
        config: width, depth, kind of enlargement, and what it has beyond the paper.
        class_count: channels of the logits, 1..255.
    """

    def __init__(self, config: UNetConfig, class_count: int) -> None:
        super().__init__()
        widths = [config.width * 2**stage for stage in range(config.depth + 1)]
        self.stem = DoubleConv(3, widths[0])
        self.down = nn.ModuleList(DoubleConv(a, b) for a, b in pairwise(widths))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck: nn.Module = nn.Identity()
        if config.bottleneck == "aspp":  # narrow branches, or it would weigh as much as all the rest
            self.bottleneck = ASPP(widths[-1], widths[-1], ASPP_RATES, branch_channels=max(1, widths[-1] // 4))
        self.up = nn.ModuleList(
            Up(channels, config.up, attention=config.attention) for channels in reversed(widths[:-1])
        )
        self.head = nn.Conv2d(widths[0], class_count, 1)

    @property
    def encoder(self) -> nn.Module:
        """Stem and way down, to be frozen or given a learning rate of their own; shares their parameters.

        Made at each call and not registered, so that the names of the weights stay those of every older checkpoint.
        """
        return nn.ModuleList([self.stem, self.down])

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised float [N,3,H,W], H and W multiples of the stride -> logits [N,C,H,W] of the same dtype."""
        features: Tensor = self.stem(image_nchw)
        skips: list[Tensor] = []
        for stage in self.down:
            skips.append(features)
            features = stage(self.pool(features))
        features = self.bottleneck(features)
        for stage, skip in zip(self.up, reversed(skips), strict=True):
            features = stage(features, skip)
        logits: Tensor = self.head(features)
        return logits
