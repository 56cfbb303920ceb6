"""DeepLabV3+ (Chen et al. 2018, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation").

Differences from the paper: plain convolutions instead of separable ones, and by default fewer channels
and rates for small images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import UsageError
from trainer.networks.aspp import ASPP
from trainer.networks.encoders import EncoderName, as_module, build_encoder, require_encoder
from trainer.networks.unet import DoubleConv

OUTPUT_STRIDE_PX = 16
LOW_LEVEL_STRIDE_PX = 4
LOW_LEVEL_CHANNELS = 48  # of the paper, section 4.1


@dataclass(frozen=True, kw_only=True)
class DeepLabV3PlusConfig:
    """Shape of a DeepLabV3+.

    Attributes:
        encoder: one of encoders.ENCODER_NAMES; its last features are kept at stride 16 by dilation.
        width: channels of the pyramid pooling and of the decoder; 256 in the paper.
        rates: dilations of the pyramid pooling at stride 16. The paper's 6, 12, 18 are for crops of 513x513; a rate as
            large as the map, which is 16x16 for 256x256, leaves only the middle of its kernel.
    """

    encoder: EncoderName = "efficientnet_lite0"
    width: int = 128
    rates: tuple[int, ...] = (3, 6, 9)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", tuple(self.rates))  # JSON and TOML know no tuples
        require_encoder(self.encoder)
        if self.width < 1:
            raise UsageError(f"a DeepLabV3+ needs a width of 1 or more, got {self.width}; the default is --width 128")
        if not self.rates or min(self.rates) < 1:
            raise UsageError(f"a DeepLabV3+ needs rates of 1 or more, got {list(self.rates)}; the default is 3, 6, 9")

    @property
    def stride_px(self) -> int:
        """Height and width must be multiples of this."""
        return OUTPUT_STRIDE_PX


class DeepLabV3Plus(nn.Module):
    """Encoder, pyramid pooling at stride 16, decoder at stride 4, logits enlarged to the input's size.

    Args:
        config: which encoder, and the width.
        class_count: channels of the logits, 1..255.
    """

    def __init__(self, config: DeepLabV3PlusConfig, class_count: int) -> None:
        super().__init__()
        encoder = build_encoder(config.encoder, dilated=True)
        self.encoder = as_module(encoder)
        _, low_level, _, _, deepest = encoder.channels
        self.aspp = ASPP(deepest, config.width, config.rates)
        self.reduce = nn.Sequential(
            nn.Conv2d(low_level, LOW_LEVEL_CHANNELS, 1, bias=False), nn.BatchNorm2d(LOW_LEVEL_CHANNELS), nn.ReLU()
        )
        self.decode = DoubleConv(config.width + LOW_LEVEL_CHANNELS, config.width)
        self.head = nn.Conv2d(config.width, class_count, 1)

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised float [N,3,H,W], H and W multiples of the stride -> logits [N,C,H,W] of the same dtype."""
        _, low_level, _, _, deepest = self.encoder(image_nchw)
        deep = _enlarge(self.aspp(deepest), OUTPUT_STRIDE_PX // LOW_LEVEL_STRIDE_PX)
        features = self.decode(torch.cat([deep, self.reduce(low_level)], dim=1))
        return _enlarge(self.head(features), LOW_LEVEL_STRIDE_PX)


def _enlarge(features: Tensor, factor: int) -> Tensor:
    return functional.interpolate(features, scale_factor=float(factor), mode="bilinear", align_corners=False)
