"""Feature extractors for the decoders: one small interface over torchvision's networks and EfficientNet-Lite0.

Each gives features at strides 2, 4, 8, 16 and 32. torchvision's keep the parameter names of torchvision, so that its
weight files fit them as they are. Knows no files: where weights come from is pretrained.py.
"""

from collections.abc import Iterable
from typing import Literal, Protocol, cast, get_args

import torchvision
from torch import Tensor, nn

from runtime.errors import UsageError
from trainer.networks.edge_layers import use_edge_layers
from trainer.networks.efficientnet_lite import EfficientNetLite0

EncoderName = Literal["resnet18", "resnet34", "resnet50", "mobilenet_v3_large", "efficientnet_lite0"]
ENCODER_NAMES: tuple[str, ...] = get_args(EncoderName)
ENCODER_STRIDE_PX = 32


class Encoder(Protocol):
    """What the decoders need of an encoder; every one is an nn.Module.

    Attributes:
        channels: of the features at strides 2, 4, 8, 16, 32.
    """

    channels: tuple[int, ...]

    def __call__(self, image_nchw: Tensor) -> list[Tensor]:
        """Normalised float [N,3,H,W] -> five features [N,c,H/s,W/s]."""
        ...

    def last_stage(self) -> list[nn.Module]:
        """The modules from stride 16 to the last features, in the order of use."""
        ...


class ResNetEncoder(nn.Module):
    """A residual network (He et al. 2016) of torchvision without its classifier.

    Args:
        network: torchvision's, freshly made.
    """

    def __init__(self, network: torchvision.models.ResNet) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu, self.maxpool = network.conv1, network.bn1, network.relu, network.maxpool
        self.layer1, self.layer2 = network.layer1, network.layer2
        self.layer3, self.layer4 = network.layer3, network.layer4
        deepest: int = network.fc.in_features
        self.channels: tuple[int, ...] = (64, deepest // 8, deepest // 4, deepest // 2, deepest)

    def forward(self, image_nchw: Tensor) -> list[Tensor]:
        """Normalised float [N,3,H,W] -> features at strides 2, 4, 8, 16, 32."""
        features: Tensor = self.relu(self.bn1(self.conv1(image_nchw)))
        taken = [features]
        features = self.maxpool(features)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = layer(features)
            taken.append(features)
        return taken

    def last_stage(self) -> list[nn.Module]:
        """See `Encoder`."""
        return [self.layer4]


class MobileNetEncoder(nn.Module):
    """MobileNetV3-Large (Howard et al. 2019) of torchvision up to its last block; 2.8 M parameters.

    Args:
        network: torchvision's, freshly made.
    """

    taps = (1, 3, 6, 12, 15)  # the last block at each stride; number 16, a 1x1 convolution to 960 channels, is left out
    channels: tuple[int, ...] = (16, 24, 40, 112, 160)

    def __init__(self, network: torchvision.models.MobileNetV3) -> None:
        super().__init__()
        self.features = network.features[: self.taps[-1] + 1]
        use_edge_layers(self.features)

    def forward(self, image_nchw: Tensor) -> list[Tensor]:
        """Normalised float [N,3,H,W] -> features at strides 2, 4, 8, 16, 32."""
        features, taken = image_nchw, []
        for index, block in enumerate(self.features):
            features = block(features)
            if index in self.taps:
                taken.append(features)
        return taken

    def last_stage(self) -> list[nn.Module]:
        """See `Encoder`."""
        return list(self.features)[self.taps[3] + 1 :]


def build_encoder(name: str, *, dilated: bool = False) -> Encoder:
    """An encoder, freshly initialised from torch's random state.

    Args:
        name: one of ENCODER_NAMES.
        dilated: keep the last features at stride 16, with dilated convolutions in the place of the last halving.

    Raises:
        UsageError: no encoder has that name.
    """
    require_encoder(name)
    encoder: Encoder
    if name == "efficientnet_lite0":
        encoder = EfficientNetLite0()
    elif name == "mobilenet_v3_large":
        encoder = MobileNetEncoder(torchvision.models.mobilenet_v3_large(weights=None))
    else:
        makers = {
            "resnet18": torchvision.models.resnet18,
            "resnet34": torchvision.models.resnet34,
            "resnet50": torchvision.models.resnet50,
        }
        encoder = ResNetEncoder(makers[name](weights=None))
    if dilated:
        dilate(module for stage in encoder.last_stage() for module in stage.modules())
    return encoder


def as_module(encoder: Encoder) -> nn.Module:
    """The encoder as the module that it is; a Protocol can't say so."""
    return cast("nn.Module", encoder)


def require_encoder(name: str) -> None:
    """Refuses a name that no encoder has.

    Raises:
        UsageError: likewise.
    """
    if name not in ENCODER_NAMES:
        raise UsageError(f"--encoder must be one of {', '.join(ENCODER_NAMES)}, got {name!r}; choose one of them")


def dilate(modules: Iterable[nn.Module]) -> None:
    """Takes the halving out of a stage and spreads the kernels behind it (Chen et al. 2017, "Rethinking Atrous ...").

    At every second pixel of every second row the result is what the stage gave before, with the same weights (the
    averages over the whole image inside squeeze-and-excitation excepted).

    Args:
        modules: of the stage, in the order of use.
    """
    pad: nn.ZeroPad2d | None = None
    halved = False
    for module in modules:
        if isinstance(module, nn.ZeroPad2d):
            pad = module
        if not isinstance(module, nn.Conv2d):
            continue
        kernel = module.kernel_size[0]
        if module.stride[0] == 2:
            module.stride = (1, 1)
            if pad is not None:  # the one in front of this convolution; the last pixel now starts a kernel too
                left, _, above, _ = pad.padding
                pad.padding = (left, kernel - 1 - left, above, kernel - 1 - above)
            halved = halved or kernel > 1  # the 1x1 of a shortcut reads nothing that would have to be spread
        elif halved and kernel > 1:
            module.dilation = (2, 2)
            module.padding = (kernel - 1, kernel - 1)
