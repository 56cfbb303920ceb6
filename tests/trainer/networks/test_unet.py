from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from runtime.errors import UsageError
from trainer.networks.unet import UNet, UNetConfig, require_size


def test_unet_width_16_depth_4_has_the_multiplications_of_a_sum_by_hand() -> None:
    widths, pixels = [16, 32, 64, 128, 256], [64 * 64 // 4**stage for stage in range(5)]
    expected = pixels[0] * 9 * (3 * 16 + 16 * 16) + pixels[0] * 16 * 7
    for (a, b), there in zip(pairwise(widths), pixels[1:], strict=True):
        expected += there * 9 * (a * b + b * b)
    for c, here in zip(widths, pixels[:-1], strict=False):
        expected += here * (2 * c * c + 9 * (2 * c * c + c * c))  # each new pixel has one tap of the transposed 2x2
    with FlopCounterMode(display=False) as counter:
        UNet(UNetConfig(), 7)(torch.zeros(1, 3, 64, 64))
    assert counter.get_total_flops() == 2 * expected


class FirstUNet(nn.Module):
    """The network as it was before it had options, written out; what older checkpoints hold."""

    def __init__(self, width: int, depth: int, class_count: int) -> None:
        super().__init__()

        def double(a: int, b: int) -> nn.Sequential:
            layers = [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
            return nn.Sequential(*layers, nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

        widths = [width * 2**stage for stage in range(depth + 1)]
        self.stem = double(3, width)
        self.down = nn.ModuleList([double(a, b) for a, b in pairwise(widths)])
        self.up = nn.ModuleList()
        for c in widths[-2::-1]:
            enlarge = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
            self.up.append(nn.ModuleDict({"enlarge": enlarge, "convolve": double(2 * c, c)}))
        self.head = nn.Conv2d(width, class_count, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = [self.stem(image)]
        for stage in self.down:
            features.append(stage(nn.functional.max_pool2d(features[-1], 2)))
        deep = features.pop()
        for stage in self.up:
            deep = stage["convolve"](torch.cat([features.pop(), stage["enlarge"](deep)], dim=1))
        return self.head(deep)


def test_unet_without_options_is_what_it_was_before_it_had_them() -> None:
    torch.manual_seed(5)
    first = FirstUNet(4, 3, 7)
    torch.manual_seed(5)
    network = UNet(UNetConfig(width=4, depth=3), 7)
    assert list(network.state_dict()) == list(first.state_dict())
    assert list(network.state_dict())[:2] == ["stem.0.weight", "stem.1.weight"]
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), first.parameters(), strict=True))
    image = torch.randn(2, 3, 32, 48)
    assert torch.equal(network(image), first(image))


def test_unet_encoder_is_stem_and_way_down_under_their_old_names() -> None:
    network = UNet(UNetConfig(width=4, depth=2, attention=True, bottleneck="aspp"), 3)
    inside = {id(parameter) for parameter in network.encoder.parameters()}
    names = {name.split(".")[0] for name, parameter in network.named_parameters() if id(parameter) in inside}
    assert names == {"stem", "down"}
    assert inside == {id(p) for part in (network.stem, network.down) for p in part.parameters()}
    assert not any(name.startswith("encoder") for name in network.state_dict())
    network.encoder.eval().requires_grad_(False)
    assert not network.stem.training
    assert not network.down[0][0].weight.requires_grad
    assert network.up.training


def test_unet_options_add_what_they_say() -> None:
    def names(**options) -> set[str]:
        network = UNet(UNetConfig(width=4, depth=2, **options), 3)
        return {".".join(name.split(".")[:3]) for name in network.state_dict()}

    plain = names()
    gates = {f"up.{stage}.gate" for stage in (0, 1)}
    assert names(attention=True) - plain == gates
    assert {name.split(".")[0] for name in names(bottleneck="aspp") - plain} == {"bottleneck"}


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
    ("settings", "value"),
    [
        ({"width": 0}, "width 0"),
        ({"depth": 9}, "depth 9"),
        ({"up": "nearest"}, "nearest"),
        ({"bottleneck": "wide"}, "wide"),
    ],
)
def test_unet_config_unusable_value_is_named(settings: dict, value: str) -> None:
    with pytest.raises(UsageError, match=value):
        UNetConfig(**settings)
