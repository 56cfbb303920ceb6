import pytest
import torch
from torch import nn

from runtime.errors import UsageError
from trainer.networks.deeplabv3plus import DeepLabV3Plus, DeepLabV3PlusConfig


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_lite0"])
def test_deeplabv3plus_sizes_need_be_multiples_of_16_only(name: str) -> None:
    network = DeepLabV3Plus(DeepLabV3PlusConfig(encoder=name, width=8), 5).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 48, 80)).shape == (1, 5, 48, 80)


def test_deeplabv3plus_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    # a batch of one image, and features large enough for every dilated kernel to lie inside with more than its middle
    network = DeepLabV3Plus(DeepLabV3PlusConfig(width=8), 3)
    network(torch.randn(1, 3, 160, 160)).square().sum().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_deeplabv3plus_detail_comes_through_the_low_level_features() -> None:
    torch.manual_seed(0)
    network = DeepLabV3Plus(DeepLabV3PlusConfig(width=8), 2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of what was seen, not a tenth of them
    network(torch.randn(2, 3, 64, 64))
    network.eval()
    network.aspp.join[1].weight.data.zero_()  # nothing of the deep branch varies over the image any more
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 64, 64))[..., 16:48, 16:48]
    assert logits.std((2, 3)).min() > 1e-3


@pytest.mark.parametrize(
    ("values", "message"),
    [({"width": 0}, "got 0"), ({"encoder": "x"}, "got 'x'"), ({"rates": [3, 0]}, r"got \[3, 0\]")],
)
def test_deeplabv3plus_config_values_that_cannot_be_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DeepLabV3PlusConfig(**values)
