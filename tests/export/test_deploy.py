import copy

import pytest
import torch
from torch import nn

from export.deploy import Deploy, fold_batch_norms
from trainer.networks.encoder_unet import EncoderUNet, EncoderUNetConfig
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise, labels_from_logits
from trainer.networks.unet import UNet, UNetConfig


@pytest.fixture
def network() -> UNet:
    """A small U-Net whose batch norms have seen data, so that folding them is not the identity."""
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=4, depth=2), 5)
    for _ in range(3):
        network(3 * torch.randn(4, 3, 16, 16) + 1)
    return network.eval()


def deploy(network: nn.Module, *, half: bool) -> Deploy:
    return Deploy(network, half=half, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def test_fold_batch_norms_gives_the_same_logits_without_batch_norms(network: UNet) -> None:
    image = torch.randn(2, 3, 16, 16)
    folded = fold_batch_norms(copy.deepcopy(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(image), network(image), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large", "efficientnet_lite0"])
def test_fold_batch_norms_reaches_into_every_kind_of_encoder(name: str) -> None:
    torch.manual_seed(0)
    network = EncoderUNet(EncoderUNetConfig(encoder=name, width=4), 3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
            module.momentum = None
    network(3 * torch.randn(4, 3, 64, 64) + 1)
    image = torch.randn(1, 3, 64, 64)
    folded = fold_batch_norms(copy.deepcopy(network.eval()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(folded(image), expected, atol=1e-4, rtol=1e-3)
    assert expected.std() > 0.01


def test_fold_batch_norms_leaves_a_norm_that_follows_no_convolution() -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.BatchNorm2d(2)).eval()
    assert isinstance(fold_batch_norms(network)[2], nn.BatchNorm2d)


def test_deploy_equals_normalise_network_argmax_by_hand(network: UNet) -> None:
    image = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8)
    labels = deploy(network, half=False)(image)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, labels_from_logits(network(Normalise()(image))))


def test_deploy_leaves_the_network_as_it_was(network: UNet) -> None:
    before = copy.deepcopy(network.state_dict())
    deploy(network, half=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_deploy_half_computes_in_half(network: UNet) -> None:
    module = deploy(network, half=True)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float16}
    assert module(torch.zeros(1, 16, 16, 3, dtype=torch.uint8)).dtype == torch.uint8
