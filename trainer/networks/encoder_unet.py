"""U-Net over an encoder that was trained for another task: its features as skips, a light decoder on top.

The decoder ends at stride 2, where the last logits are made; full resolution comes by bilinear enlargement. What lies
between is what a full-resolution stage would pay for most and give least.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from runtime.errors import UsageError
from trainer.networks.encoders import ENCODER_STRIDE_PX, EncoderName, as_module, build_encoder, require_encoder
from trainer.networks.unet import Bilinear, DoubleConv


@dataclass(frozen=True, kw_only=True)
class EncoderUNetConfig:
    """Shape of a U-Net over an encoder.

    Attributes:
        encoder: one of encoders.ENCODER_NAMES.
        width: channels of the decoder at stride 2, even; 1.5, 2 and 4 times as many at strides 4, 8 and 16.
    """

    encoder: EncoderName = "efficientnet_lite0"
    width: int = 32

    def __post_init__(self) -> None:
        require_encoder(self.encoder)
        if self.width < 2 or self.width % 2:
            raise UsageError(
                f"a U-Net over an encoder needs an even width of 2 or more, got {self.width}; the default is --width 32"
            )

    @property
    def stride_px(self) -> int:
        """Height and width must be multiples of this."""
        return ENCODER_STRIDE_PX

    @property
    def decoder_widths(self) -> tuple[int, int, int, int]:
        """Channels of the decoder's stages at strides 16, 8, 4, 2."""
        return 4 * self.width, 2 * self.width, 3 * self.width // 2, self.width


class Join(nn.Module):
    """Doubles the resolution, joins the skip, convolves: [N,deep,H,W] and skip [N,s,2H,2W] -> [N,out,2H,2W].

    Args:
        deep_channels: of the features from below.
        skip_channels: of the encoder's features.
        out_channels: of the result.
    """

    def __init__(self, deep_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        # 1x1 first: the same linear map as after the enlargement, at a quarter of the cost
        self.enlarge = nn.Sequential(nn.Conv2d(deep_channels, out_channels, 1), Bilinear())
        self.convolve = DoubleConv(out_channels + skip_channels, out_channels)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """See the class for shapes."""
        joined: Tensor = self.convolve(torch.cat([skip, self.enlarge(deep)], dim=1))
        return joined


class EncoderUNet(nn.Module):
    """Encoder, decoder with skips, logits at stride 2 enlarged to the input's size.

    Args:
        config: which encoder, and the decoder's width.
        class_count: channels of the logits, 1..255.
    """

    def __init__(self, config: EncoderUNetConfig, class_count: int) -> None:
        super().__init__()
        encoder = build_encoder(config.encoder)
        self.encoder = as_module(encoder)
        *skips, deepest = encoder.channels
        widths = config.decoder_widths
        deep = (deepest, *widths)
        self.up = nn.ModuleList(Join(*each) for each in zip(deep[:-1], reversed(skips), widths, strict=True))
        self.head = nn.Conv2d(widths[-1], class_count, 1)
        self.enlarge = Bilinear()

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised float [N,3,H,W], H and W multiples of the stride -> logits [N,C,H,W] of the same dtype."""
        *skips, features = self.encoder(image_nchw)
        for stage, skip in zip(self.up, reversed(skips), strict=True):
            features = stage(features, skip)
        logits: Tensor = self.enlarge(self.head(features))
        return logits
