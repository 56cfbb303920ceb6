import pytest
import torch

from runtime.errors import UsageError
from trainer.networks.encoder_unet import EncoderUNet, EncoderUNetConfig


def test_encoder_unet_over_lite0_has_the_parameters_of_a_sum_by_hand() -> None:
    def join(deep: int, skip: int, out: int) -> int:
        return deep * out + out + 9 * (out + skip) * out + 2 * out + 9 * out * out + 2 * out

    decoder = join(320, 112, 128) + join(128, 40, 64) + join(64, 24, 48) + join(48, 16, 32)
    network = EncoderUNet(EncoderUNetConfig(), 7)
    assert sum(p.numel() for p in network.parameters()) == 2_958_848 + decoder + 32 * 7 + 7
    assert sum(p.numel() for p in network.parameters()) < 6e6


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large", "efficientnet_lite0"])
def test_encoder_unet_keeps_the_size_and_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    network = EncoderUNet(EncoderUNetConfig(encoder=name, width=8), 3)
    logits = network(torch.randn(2, 3, 64, 96))
    assert logits.shape == (2, 3, 64, 96)
    logits.square().sum().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_encoder_unet_optimiser_finds_the_encoder() -> None:
    network = EncoderUNet(EncoderUNetConfig(width=8), 3)
    assert sum(p.numel() for p in network.encoder.parameters()) == 2_958_848


@pytest.mark.parametrize("width", [0, -2, 7])
def test_encoder_unet_config_width_that_does_not_halve_refused(width: int) -> None:
    with pytest.raises(UsageError, match=f"even width of 2 or more, got {width};"):
        EncoderUNetConfig(width=width)


def test_encoder_unet_config_unknown_encoder_refused() -> None:
    with pytest.raises(UsageError, match=r"--encoder must be one of resnet18, .* got 'vgg'"):
        EncoderUNetConfig(encoder="vgg")
