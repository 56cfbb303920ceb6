import pytest
import torch
import torchvision
from torch import nn
from torchinfo import summary
from torchvision.models.feature_extraction import create_feature_extractor

from runtime.errors import UsageError
from trainer.networks.encoders import build_encoder

RESNET18 = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta
MOBILENET = torchvision.models.MobileNet_V3_Large_Weights.IMAGENET1K_V1.meta


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def warm(network: nn.Module) -> nn.Module:
    """The network with batch norms that have seen images, in evaluation mode."""
    torch.manual_seed(0)
    network.train()(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "mobilenet_v3_large", "efficientnet_lite0"])
@pytest.mark.parametrize("dilated", [False, True])
def test_build_encoder_features_have_their_strides_and_channels(name: str, dilated: bool) -> None:
    encoder = build_encoder(name, dilated=dilated).eval()
    with torch.no_grad():
        features = encoder(torch.zeros(1, 3, 64, 96))
    strides = (2, 4, 8, 16, 16 if dilated else 32)
    assert [tuple(each.shape[1:]) for each in features] == [
        (channels, 64 // stride, 96 // stride) for channels, stride in zip(encoder.channels, strides, strict=True)
    ]


def test_resnet18_has_the_parameters_and_operations_that_torchvision_publishes() -> None:
    encoder = build_encoder("resnet18")
    assert count(encoder) + 512 * 1000 + 1000 == RESNET18["num_params"]
    macs = summary(encoder, (1, 3, 224, 224), verbose=0).total_mult_adds + 512_000
    assert macs == pytest.approx(RESNET18["_ops"] * 1e9, rel=0.01)


def test_mobilenet_has_the_parameters_and_operations_that_torchvision_publishes() -> None:
    encoder = build_encoder("mobilenet_v3_large")
    last, classifier = 160 * 960, 960 * 1280 + 1280 * 1000
    assert count(encoder) + last + 2 * 960 + classifier + 1280 + 1000 == MOBILENET["num_params"]
    macs = summary(encoder, (1, 3, 224, 224), verbose=0).total_mult_adds + 49 * last + classifier
    assert macs == pytest.approx(MOBILENET["_ops"] * 1e9, rel=0.01)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("resnet18", ("relu", "layer1", "layer2", "layer3", "layer4")),
        ("mobilenet_v3_large", ("features.1", "features.3", "features.6", "features.12", "features.15")),
    ],
)
def test_build_encoder_gives_the_features_of_torchvisions_own_extractor(name: str, nodes: tuple[str, ...]) -> None:
    original = warm(getattr(torchvision.models, name)(weights=None))
    encoder = build_encoder(name).eval()
    result = encoder.load_state_dict(original.state_dict(), strict=False)
    assert result.missing_keys == []
    extract = create_feature_extractor(original, list(nodes))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for got, expected in zip(encoder(image), extract(image).values(), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_dilate_keeps_the_values_at_every_second_pixel(name: str) -> None:
    plain, dilated = warm(build_encoder(name)), build_encoder(name, dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        expected, got = plain(image)[-1], dilated(image)[-1]
    torch.testing.assert_close(got[..., ::2, ::2], expected, atol=1e-5, rtol=1e-4)
    assert expected.abs().max() > 0.1


def test_dilate_resnet50_spreads_the_kernels_as_torchvision_does() -> None:
    expected = torchvision.models.resnet50(replace_stride_with_dilation=[False, False, True]).layer4
    got = build_encoder("resnet50", dilated=True).last_stage()[0]
    shapes = [
        [(m.stride, m.dilation, m.padding) for m in stage.modules() if isinstance(m, nn.Conv2d)]
        for stage in (got, expected)
    ]
    assert shapes[0] == shapes[1]


def test_build_encoder_unknown_name_refused_with_the_names() -> None:
    with pytest.raises(UsageError, match=r"resnet18, .*efficientnet_lite0, got 'vgg16'"):
        build_encoder("vgg16")
