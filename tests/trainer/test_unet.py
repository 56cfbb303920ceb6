from itertools import pairwise

import pytest
import torch

from runtime.errors import UsageError
from trainer.networks.unet import UNet, UNetConfig, require_size


@pytest.mark.parametrize("up", ["learned", "bilinear"])
@pytest.mark.parametrize(("width", "depth", "height", "width_px"), [(4, 1, 6, 10), (4, 3, 40, 24), (8, 4, 32, 64)])
def test_unet_any_width_and_depth_keeps_the_size(up: str, width: int, depth: int, height: int, width_px: int) -> None:
    network = UNet(UNetConfig(width=width, depth=depth, up=up), 7).eval()
    assert network(torch.zeros(2, 3, height, width_px)).shape == (2, 7, height, width_px)


def test_unet_width_16_depth_4_has_the_parameters_of_a_sum_by_hand() -> None:
    def double(a: int, b: int) -> int:
        return 9 * a * b + 2 * b + 9 * b * b + 2 * b

    widths = [16, 32, 64, 128, 256]
    expected = double(3, 16) + sum(double(a, b) for a, b in pairwise(widths))
    expected += sum(4 * (2 * c) * c + c + double(2 * c, c) for c in widths[:-1]) + 16 * 7 + 7
    assert sum(p.numel() for p in UNet(UNetConfig(), 7).parameters()) == expected


def test_unet_every_parameter_gets_a_gradient() -> None:
    network = UNet(UNetConfig(width=4, depth=2), 3)
    network(torch.randn(2, 3, 16, 16)).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_unet_skips_carry_detail_that_the_bottleneck_loses() -> None:
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=4, depth=4), 2).eval()
    image = torch.randn(1, 3, 32, 32)
    moved = image.clone()
    moved[..., 0, 0] += 3
    change = (network(image) - network(moved)).abs().sum(1)[0]
    assert change[0, 0] > 0


@pytest.mark.parametrize(
    ("height", "width", "choices"),
    [
        (100, 100, "96x96 or 112x112"),
        (64, 100, "96x64 or 112x64"),
        (3, 3, "32x32"),
        (0, 16, "32x32"),
        (16, 64, "64x32"),
    ],
)
def test_require_size_odd_size_refused_with_the_nearest(height: int, width: int, choices: str) -> None:
    with pytest.raises(UsageError, match=f"{width}x{height}; the nearest that fit: {choices}$"):
        require_size(height, width, 16)


def test_require_size_multiples_pass() -> None:
    require_size(32, 4096, 16)


@pytest.mark.parametrize(
    ("settings", "value"), [({"width": 0}, "width 0"), ({"depth": 9}, "depth 9"), ({"up": "nearest"}, "nearest")]
)
def test_unet_config_unusable_value_is_named(settings: dict, value: str) -> None:
    with pytest.raises(UsageError, match=value):
        UNetConfig(**settings)
