"""A U-Net for real time, found by the search in docs/experiments.md.

Built from what engines and int8 like: 3x3 convolutions, ReLU, additive skips, bilinear enlargement. A stem of stride 2
takes the place of the full-resolution stage, residual blocks (He et al. 2016, "Deep residual learning") that of the
double convolutions; most arithmetic stands at 1/4 resolution and below, none but enlarging the logits at full.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import UsageError

Head = Literal["bilinear", "shuffle"]


@dataclass(frozen=True, kw_only=True)
class UNetFastConfig:
    """Shape of a fast U-Net.

    Attributes:
        channels: per stage, the first at 1 / `stem_stride` resolution, each further one at half that of the one before.
        blocks: residual blocks per stage on the way down, as many numbers as `channels`; the first of a stage but the
            first halves the resolution, so only the first number may be 0.
        stem_stride: 2 or 4; 4 is a second convolution of stride 2 with half the first stage's channels before it.
        head: logits at the first stage's resolution, enlarged "bilinear", or one per class and pixel of the place,
            rearranged ("shuffle", Shi et al. 2016, "Real-time single image and video super-resolution").
    """

    channels: tuple[int, ...] = (32, 48, 96, 160)
    blocks: tuple[int, ...] = (0, 1, 2, 2)
    stem_stride: int = 2
    head: Head = "bilinear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON and TOML know no tuples
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if self.stem_stride not in (2, 4):
            raise UsageError(f"unet-fast has a stem of stride 2 or 4, got {self.stem_stride}; the default is 2")
        if not 2 <= len(self.channels) <= 6 or min(self.channels) < self.stem_stride // 2:
            raise UsageError(
                f"unet-fast needs the channels of 2 to 6 stages, each at least {self.stem_stride // 2}, "
                f"got {list(self.channels)}; the default is 32, 48, 96, 160"
            )
        if len(self.blocks) != len(self.channels) or min(self.blocks[1:], default=0) < 1 or self.blocks[0] < 0:
            raise UsageError(
                f"unet-fast needs a number of blocks for each of its {len(self.channels)} stages, 0 or more for the "
                f"first and 1 or more for the others, got {list(self.blocks)}; the default is 0, 1, 2, 2"
            )
        if self.head not in get_args(Head):
            raise UsageError(f"unet-fast has a 'bilinear' or a 'shuffle' head, got {self.head!r}; give one of the two")

    @property
    def stride_px(self) -> int:
        """Height and width must be multiples of this."""
        return self.stem_stride * 2 ** (len(self.channels) - 1)


class ConvNormReLU(nn.Sequential):
    """3x3 convolution, batch norm, ReLU: [N,in,H,W] -> [N,out,H/stride,W/stride]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Basic block of a ResNet: [N,in,H,W] -> [N,out,H/stride,W/stride]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.convolve = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        """See the class for shapes."""
        return functional.relu(self.convolve(features) + self.shortcut(features))


class UpAdd(nn.Module):
    """Doubles the resolution, adds the skip, convolves: [N,deep,H,W] and skip [N,c,2H,2W] -> [N,c,2H,2W]."""

    def __init__(self, deep_channels: int, channels: int) -> None:
        super().__init__()
        # 1x1 first: the same linear map as after the enlargement, at a quarter of the cost
        self.narrow = nn.Sequential(nn.Conv2d(deep_channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.convolve = ConvNormReLU(channels, channels)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """See the class for shapes."""
        enlarged = functional.interpolate(self.narrow(deep), scale_factor=2.0, mode="bilinear", align_corners=False)
        joined: Tensor = self.convolve(functional.relu(enlarged + skip))
        return joined


class UNetFast(nn.Module):
    """Encoder and decoder with additive skips, from half resolution down.

    Args:
        config: channels and blocks per stage, kind of head.
        class_count: channels of the logits, 1..255.
    """

    def __init__(self, config: UNetFastConfig, class_count: int) -> None:
        super().__init__()
        channels = config.channels
        narrow = [] if config.stem_stride == 2 else [channels[0] // 2]
        self.stem = nn.Sequential(*(ConvNormReLU(a, b, stride=2) for a, b in pairwise((3, *narrow, channels[0]))))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    Residual(before if block == 0 else here, here, stride=2 if block == 0 and stage > 0 else 1)
                    for block in range(config.blocks[stage])
                )
            )
            for stage, (before, here) in enumerate(pairwise((channels[0], *channels)))
        )
        self.up = nn.ModuleList(UpAdd(deep, here) for here, deep in reversed(list(pairwise(channels))))
        self.enlarge, self.shuffle = config.stem_stride, config.head == "shuffle"
        self.head = nn.Conv2d(channels[0], class_count * (self.enlarge**2 if self.shuffle else 1), 1)

    @property
    def encoder(self) -> nn.Module:
        """Stem and stages, to be frozen or given a learning rate of their own; shares their parameters."""
        return nn.ModuleList([self.stem, self.stages])

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised float [N,3,H,W], H and W multiples of the stride -> logits [N,C,H,W] of the same dtype."""
        features: Tensor = self.stem(image_nchw)
        skips: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        for up, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            features = up(features, skip)
        logits: Tensor = self.head(features)  # at the first stage's resolution
        if self.shuffle:
            return functional.pixel_shuffle(logits, self.enlarge)
        return functional.interpolate(logits, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)
