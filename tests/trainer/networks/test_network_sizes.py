"""Parameters and multiplications of the networks, against what others count and publish."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary
from torchvision.models import get_model_weights

from trainer.networks.catalogue import NetworkConfig, build_network
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.unet import UNetConfig
from trainer.networks.unet_fast import UNetFastConfig

CLASSES = 3


def macs(network: nn.Module, image: Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(width=4, depth=2),
        UNetConfig(width=4, depth=2, up="bilinear", attention=True, bottleneck="aspp"),
        UNetFastConfig(channels=(4, 6, 8), blocks=(0, 1, 2)),
        EncoderUNetConfig(encoder="efficientnet_lite0", width=8),
        DeepLabV3PlusConfig(encoder="mobilenet_v3_large", width=16),
        DeepLabV3Config(),
    ],
    ids=lambda config: type(config).__name__,
)
def test_network_torchinfo_counts_what_torch_counts(config: NetworkConfig) -> None:
    network = build_network(config, CLASSES).eval()
    image = torch.zeros(1, 3, 2 * config.stride_px, 3 * config.stride_px)
    found = summary(network, input_data=image, verbose=0)
    assert found.total_params == sum(p.numel() for p in network.parameters())
    convolutions = [layer for layer in found.summary_list if isinstance(layer.module, nn.Conv2d | nn.ConvTranspose2d)]
    # torchinfo counts an addition of a bias as a multiplication, and gives each new pixel of a transposed convolution
    # all the taps of its kernel: four times too many at a 2x2 kernel with stride 2
    taps = [each.module.stride[0] ** 2 if each.module.transposed else 1 for each in convolutions]
    weights = [each.module.weight.numel() / each.num_params for each in convolutions]
    products = sum(e.macs * share / tap for e, share, tap in zip(convolutions, weights, taps, strict=True))
    assert products == pytest.approx(macs(network, image), rel=1e-9)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_network_encoder_has_the_size_that_torchvision_publishes(name: str) -> None:
    published = get_model_weights(name).IMAGENET1K_V1.meta
    encoder = build_network(EncoderUNetConfig(encoder=name, width=8), CLASSES).encoder
    classifier = 1000 * encoder.channels[-1]
    assert sum(p.numel() for p in encoder.parameters()) == published["num_params"] - classifier - 1000
    at_224 = macs(encoder.eval(), torch.zeros(1, 3, 224, 224))
    assert (at_224 + classifier) / 1e9 == pytest.approx(published["_ops"], rel=1e-3)  # it says GFLOPS, and counts MACs


def test_network_deeplabv3_has_the_size_that_torchvision_publishes() -> None:
    published = get_model_weights("deeplabv3_mobilenet_v3_large").DEFAULT.meta
    auxiliary = 9 * 40 * 10 + 2 * 10 + 10 * 21 + 21  # the second head, which only training of the original used
    network = build_network(DeepLabV3Config(), 21)
    assert sum(p.numel() for p in network.parameters()) == published["num_params"] - auxiliary
    at_520 = macs(network.eval(), torch.zeros(1, 3, 520, 520))
    assert at_520 / 1e9 == pytest.approx(published["_ops"], rel=0.01)
