import copy

import pytest
import torch
import torchvision
from torch import nn

from trainer.networks.edge_layers import DepthwiseConv2d, SpatialMean, use_edge_layers


def test_depthwise_under_autocast_has_the_gradients_of_float32() -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv2d(4, 3, stride=2, padding=1)
    plain = nn.Conv2d(4, 4, 3, 2, 1, groups=4, bias=False)
    plain.load_state_dict(layer.state_dict())
    image = torch.randn(2, 4, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(image)
    assert result.dtype == torch.bfloat16
    result.float().sum().backward()
    plain(image.float()).sum().backward()
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)


def test_depthwise_evaluating_computes_in_the_dtype_of_autocast() -> None:
    layer = DepthwiseConv2d(4, 3, padding=1).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(1, 4, 8, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize("training", [False, True])
def test_use_edge_layers_keeps_names_weights_and_result(training: bool) -> None:
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_large(weights=None).features[:8].train(training)
    changed = copy.deepcopy(network)
    use_edge_layers(changed)
    assert sum(isinstance(module, DepthwiseConv2d) for module in changed.modules()) == 7
    assert sum(isinstance(module, SpatialMean) for module in changed.modules()) == 3
    assert list(changed.state_dict()) == list(network.state_dict())
    image = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(changed(image), network(image), atol=1e-6, rtol=1e-4)


def test_use_edge_layers_leaves_other_convolutions_and_poolings() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3), nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 8, 3, groups=4), nn.AdaptiveAvgPool2d(2)
    )
    kinds = [type(layer) for layer in network]
    use_edge_layers(network)
    assert [type(layer) for layer in network] == kinds
