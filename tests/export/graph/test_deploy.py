import copy

import pytest
import torch
from torch import nn

from export.graph.deploy import Deploy, fold_batch_norms
from export.settings import ExportSettings
from runtime.camera import CameraSpec
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


def deploy(network: nn.Module, **settings) -> Deploy:
    return Deploy(network, ExportSettings(**settings), 16, 16, mean=IMAGENET_MEAN, std=IMAGENET_STD)


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
    found = deploy(network)(image)
    assert list(found) == ["normalised", "logits", "labels"]
    assert found["labels"].dtype == torch.uint8
    assert torch.equal(found["labels"], labels_from_logits(network(Normalise()(image))))


def test_deploy_leaves_the_network_as_it_was(network: UNet) -> None:
    before = copy.deepcopy(network.state_dict())
    deploy(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_deploy_computes_in_single_whatever_the_precision(network: UNet, precision: str) -> None:
    module = deploy(network.half(), precision=precision)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    assert module(module.trace_input())["logits"].dtype == torch.float32


@pytest.mark.parametrize(
    ("labels_at", "labels_from"), [("network", "labels"), ("camera", "labels"), ("camera", "logits")]
)
def test_deploy_gives_maps_of_the_size_that_was_asked_for(network: UNet, labels_at: str, labels_from: str) -> None:
    camera = CameraSpec(height_px=40, width_px=50, layout="bgr", crop=(5, 6, 33, 31), resize="products")
    module = deploy(
        network, camera=camera, labels_at=labels_at, labels_from=labels_from, confidence=True, batch=2
    )  # fmt: skip
    assert module.input_shape == (2, 40, 50, 3)
    found = module(module.trace_input())
    size = (16, 16) if labels_at == "network" else (31, 33)
    for name in ("labels", "confidence"):
        assert (found[name].shape, found[name].dtype) == ((2, *size), torch.uint8)
