import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchinfo import summary

from trainer.networks.efficientnet_lite import EfficientNetLite0, from_published, is_published
from trainer.networks.ends import Normalise

# the parts of each block by the names of the published weights, in the order of use
NAMES = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")


def published(network: EfficientNetLite0) -> dict[str, Tensor]:
    """The network's own weights under the published names, which come in the same order."""
    modules = ["_conv_stem", "_bn0"]
    modules += [f"_blocks.{block}.{name}" for block in range(16) for name in (NAMES if block else NAMES[2:])]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = [f"{module}.{part}" for module in modules for part in (norm if "_bn" in module else ("weight",))]
    return dict(zip(names, network.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    """Fresh weights, batch norms that have seen images."""
    torch.manual_seed(0)
    network = EfficientNetLite0()
    network(torch.randn(4, 3, 64, 64))
    return network.eval()


def test_efficientnet_lite0_has_the_parameters_and_operations_of_the_published_one(network: EfficientNetLite0) -> None:
    head, classifier = 320 * 1280 + 2 * 1280, 1280 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) + head + classifier == 4_652_008  # of the weights' own package
    macs = summary(network, (1, 3, 224, 224), verbose=0).total_mult_adds + 49 * 320 * 1280 + 1280 * 1000
    # the table of blocks is that of EfficientNet-B0, whose squeeze-and-excitation costs next to no operations
    published_macs = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1.meta["_ops"] * 1e9
    assert macs == pytest.approx(published_macs, rel=0.01)


def test_efficientnet_lite0_features_have_their_strides_and_channels(network: EfficientNetLite0) -> None:
    features = network(torch.zeros(1, 3, 64, 96))
    assert [tuple(each.shape[1:]) for each in features] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip((16, 24, 40, 112, 320), (2, 4, 8, 16, 32), strict=True)
    ]
    assert network.channels == tuple(each.shape[1] for each in features)


def test_efficientnet_lite0_equals_the_original_implementation(network: EfficientNetLite0) -> None:
    original = pytest.importorskip(
        "efficientnet_lite_pytorch",
        reason="compares with the package efficientnet-lite-pytorch, which is not installed",
    ).EfficientNet.from_name("efficientnet-lite0")
    result = original.load_state_dict(published(network), strict=False)
    assert all(name.startswith(("_conv_head", "_bn1", "_fc")) for name in result.missing_keys)
    assert result.unexpected_keys == []
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        features = original.eval()._swish(original._bn0(original._conv_stem(image)))
        expected = []
        for block in original._blocks:
            features = block(features)
            expected.append(features)
        for got, index in zip(network(image), (0, 2, 4, 10, 15), strict=True):
            torch.testing.assert_close(got, expected[index])


def test_from_published_sees_our_images_as_the_published_network_saw_its_own(network: EfficientNetLite0) -> None:
    torch.manual_seed(1)
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    theirs = (image.permute(0, 3, 1, 2).float() - 127) / 128
    ours = EfficientNetLite0().eval()
    ours.load_state_dict(from_published(published(network)))
    with torch.no_grad():
        expected, got = network.stem(theirs), ours.stem(Normalise()(image))
    torch.testing.assert_close(got[..., :-1, :-1], expected[..., :-1, :-1], atol=1e-5, rtol=1e-4)
    # the padding's zeros mean another colour now: that much and no more changes, in the last row and column alone
    assert 0 < (got - expected).abs().max() < 0.1 * expected.abs().max()


def test_from_published_unfolded_would_be_noticed(network: EfficientNetLite0) -> None:
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    theirs = (image.permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        difference = (network.stem(Normalise()(image)) - network.stem(theirs))[..., :-1, :-1].abs().max()
    assert difference > 0.1


def test_from_published_leaves_what_it_does_not_know(network: EfficientNetLite0) -> None:
    state = {**published(network), "_fc.bias": torch.zeros(3), "_blocks.1._se_reduce.weight": torch.zeros(1)}
    renamed = from_published(state)
    assert set(renamed) - set(network.state_dict()) == {"_fc.bias", "_blocks.1._se_reduce.weight"}


def test_is_published_tells_the_two_namings_apart(network: EfficientNetLite0) -> None:
    assert is_published(published(network))
    assert not is_published(network.state_dict())


def test_efficientnet_lite0_halves_with_same_padding_right_and_below() -> None:
    pads = [module.padding for module in EfficientNetLite0().modules() if isinstance(module, nn.ZeroPad2d)]
    assert pads == [(0, 1, 0, 1), (0, 1, 0, 1), (1, 2, 1, 2), (0, 1, 0, 1), (1, 2, 1, 2)]
