"""EfficientNet-Lite0 as a feature extractor (Tan, Le: "EfficientNet", 2019; the Lite variant of its authors, 2020).

Made for edges: no squeeze-and-excitation, ReLU6 everywhere. Written anew from the published table of blocks, with the
padding of TensorFlow's SAME mode, which the published weights were trained with. Knows no files.
"""

import torch
from torch import Tensor, nn

from trainer.networks.edge_layers import DepthwiseConv2d
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

PUBLISHED_MEAN, PUBLISHED_STD = 127.0, 128.0  # of RGB bytes: how the published weights saw their images
BATCH_NORM_EPSILON = 1e-3  # of the published network
# expansion, kernel, stride, output channels, repeats: the table of EfficientNet-B0, which Lite0 keeps
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM_CHANNELS = 32
_TAPS = (0, 2, 4, 10, 15)  # the last block at each of the strides 2, 4, 8, 16, 32
_HALVING_BLOCKS = (1, 3, 5, 11)
# module names of the published weights -> place in our Sequentials
_STEM_NAMES = {"_conv_stem": "stem.1", "_bn0": "stem.2"}
_FIRST_BLOCK_NAMES = {"_depthwise_conv": 0, "_bn1": 1, "_project_conv": 3, "_bn2": 4}
_BLOCK_NAMES = {"_expand_conv": 0, "_bn0": 1, "_depthwise_conv": 3, "_bn1": 4, "_project_conv": 6, "_bn2": 7}
_PADDED_BLOCK_NAMES = {"_expand_conv": 0, "_bn0": 1, "_depthwise_conv": 4, "_bn1": 5, "_project_conv": 7, "_bn2": 8}


class EfficientNetLite0(nn.Module):
    """The features of EfficientNet-Lite0 at strides 2, 4, 8, 16 and 32; 3.37 M parameters.

    Without the classifier and the 1x1 convolution to 1280 channels before it.
    """

    channels: tuple[int, ...] = (16, 24, 40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolve(3, _STEM_CHANNELS, kernel=3, stride=2), nn.ReLU6())
        blocks: list[nn.Module] = []
        channels = _STEM_CHANNELS
        for expansion, kernel, stride, out_channels, repeats in _STAGES:
            for repeat in range(repeats):
                first = stride if repeat == 0 else 1
                blocks.append(InvertedResidual(channels, out_channels, expansion, kernel, first))
                channels = out_channels
        self.blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image_nchw: Tensor) -> list[Tensor]:
        """Normalised float [N,3,H,W], H and W multiples of 32 -> features [N,c,H/s,W/s] for s = 2, 4, 8, 16, 32."""
        features: Tensor = self.stem(image_nchw)
        taken: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            if index in _TAPS:
                taken.append(features)
        return taken

    def last_stage(self) -> list[nn.Module]:
        """The blocks that bring the stride from 16 to 32 and those after them, in order."""
        return list(self.blocks)[_TAPS[3] + 1 :]


class InvertedResidual(nn.Module):
    """MobileNetV2's block: 1x1 expansion, depthwise kxk, 1x1 projection; added to its input where the shapes allow.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        expansion: channels of the depthwise convolution over `in_channels`; at 1 there is no expanding convolution.
        kernel: size of the depthwise convolution, 3 or 5.
        stride: 1 or 2.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1 and in_channels == out_channels
        wide = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*_convolve(in_channels, wide, kernel=1), nn.ReLU6()]
        layers += [*_convolve(wide, wide, kernel=kernel, stride=stride, depthwise=True), nn.ReLU6()]
        layers += _convolve(wide, out_channels, kernel=1)
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """[N,in,H,W] -> [N,out,H/stride,W/stride]."""
        changed: Tensor = self.layers(features)
        return features + changed if self.residual else changed


def _convolve(
    in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, depthwise: bool = False
) -> tuple[nn.Module, ...]:
    """A convolution with batch norm. SAME padding at stride 2 and an even size puts the odd pixel right and below."""
    around = (kernel - stride) // 2  # left and above
    behind = kernel - stride - around
    padding = around if around == behind else 0
    convolution = (
        DepthwiseConv2d(in_channels, kernel, stride=stride, padding=padding)
        if depthwise
        else nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
    )
    norm = nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPSILON)
    if around == behind:
        return convolution, norm
    return nn.ZeroPad2d((around, behind, around, behind)), convolution, norm


def is_published(state: dict[str, Tensor]) -> bool:
    """Whether these are weights by the names of the package `efficientnet-lite-pytorch`."""
    return "_conv_stem.weight" in state and "_blocks.0._depthwise_conv.weight" in state


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the package `efficientnet-lite-pytorch` under the names of `EfficientNetLite0`, for our normalisation.

    They were trained on (image - 127) / 128; here images come as (image / 255 - mean) / std. The two differ per channel
    by a factor and a shift, which go into the first convolution and the mean of its batch norm. Exact but for the last
    row and column of the stem, where the padding's zeros now stand for the mean colour instead of grey 127: a
    difference of at most 0.18 of the 1.0 that a standard deviation of the image is there.

    Args:
        state: from the package; tensors of the classifier and what is not known keep their names.

    Returns:
        New tensors for what changes, the same ones for the rest.
    """
    renamed = {_own_name(name): tensor for name, tensor in state.items()}
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    factor = 255.0 * std / PUBLISHED_STD  # published input = factor * our input + shift
    shift = (255.0 * mean - PUBLISHED_MEAN) / PUBLISHED_STD
    weight = renamed["stem.1.weight"]
    renamed["stem.1.weight"] = weight * factor.view(1, 3, 1, 1)
    renamed["stem.2.running_mean"] = renamed["stem.2.running_mean"] - (weight.sum((2, 3)) * shift).sum(1)
    return renamed


def _own_name(published: str) -> str:
    parts = published.split(".")
    if parts[0] in _STEM_NAMES:
        return ".".join([_STEM_NAMES[parts[0]], *parts[1:]])
    if parts[0] != "_blocks" or len(parts) != 4 or not parts[1].isdigit():
        return published
    block = int(parts[1])
    padded = block in _HALVING_BLOCKS  # a module more, in front of the depthwise convolution
    names = _FIRST_BLOCK_NAMES if block == 0 else _PADDED_BLOCK_NAMES if padded else _BLOCK_NAMES
    if parts[2] not in names:
        return published
    return f"blocks.{block}.layers.{names[parts[2]]}.{parts[3]}"
