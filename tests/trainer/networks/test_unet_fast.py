from itertools import pairwise

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from runtime.errors import UsageError
from trainer.networks.unet_fast import UNetFast, UNetFastConfig


def by_hand(config: UNetFastConfig, class_count: int, height: int, width: int) -> tuple[int, int]:
    """Parameters and multiplications, summed from the description of the network."""
    parameters = products = 0
    stride = 2
    pixels = height * width // 4

    def convolution(a: int, b: int, kernel: int, *, bias: bool = False) -> None:
        nonlocal parameters, products
        parameters += kernel * kernel * a * b + (b if bias else 2 * b)  # without a bias comes a batch norm
        products += pixels * kernel * kernel * a * b

    channels = config.channels
    if config.stem_stride == 4:
        convolution(3, channels[0] // 2, 3)
        pixels //= 4
        convolution(channels[0] // 2, channels[0], 3)
        stride = 4
    else:
        convolution(3, channels[0], 3)
    for _ in range(2 * config.blocks[0]):
        convolution(channels[0], channels[0], 3)
    for (a, b), blocks in zip(pairwise(channels), config.blocks[1:], strict=True):
        pixels //= 4
        convolution(a, b, 3)
        convolution(a, b, 1)
        for _ in range(2 * blocks - 1):
            convolution(b, b, 3)
    for b, a in reversed(list(pairwise(channels))):
        convolution(a, b, 1)
        pixels *= 4
        convolution(b, b, 3)
    convolution(channels[0], class_count * (stride**2 if config.head == "shuffle" else 1), 1, bias=True)
    return parameters, products


@pytest.mark.parametrize(
    "config",
    [
        UNetFastConfig(),
        UNetFastConfig(channels=(24, 48, 96, 160), blocks=(0, 1, 1, 2), head="shuffle"),
        UNetFastConfig(channels=(48, 96, 160, 192), stem_stride=4, head="shuffle"),
        UNetFastConfig(channels=(4, 8, 8), blocks=(2, 1, 3)),
    ],
)
def test_unet_fast_has_the_size_of_a_sum_by_hand(config: UNetFastConfig) -> None:
    network = UNetFast(config, 7)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 64, 128))
    parameters, products = by_hand(config, 7, 64, 128)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert counter.get_total_flops() == 2 * products


def test_unet_fast_costs_a_third_of_the_unet() -> None:
    unet_16_at_256 = 3_039_000_000  # tests/trainer/networks/test_unet.py has the sum
    assert by_hand(UNetFastConfig(), 7, 256, 256)[1] < 0.35 * unet_16_at_256


@pytest.mark.parametrize(("stem_stride", "head"), [(2, "bilinear"), (4, "bilinear"), (2, "shuffle"), (4, "shuffle")])
def test_unet_fast_head_gives_full_resolution(stem_stride: int, head: str) -> None:
    config = UNetFastConfig(channels=(4, 8), blocks=(0, 1), stem_stride=stem_stride, head=head)
    network = UNetFast(config, 2).eval()
    seen = []
    network.head.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    logits = network(torch.randn(1, 3, 32, 48))
    assert seen[0].shape == (1, 2 * (stem_stride**2 if head == "shuffle" else 1), 32 // stem_stride, 48 // stem_stride)
    if head == "bilinear":
        expected = functional.interpolate(seen[0], size=(32, 48), mode="bilinear", align_corners=False)
        torch.testing.assert_close(logits, expected)
    else:  # the pixel (y, x) of class c stands in channel c * s * s + (y % s) * s + x % s
        channel = 1 * stem_stride**2 + (5 % stem_stride) * stem_stride + 7 % stem_stride
        assert logits[0, 1, 5, 7] == seen[0][0, channel, 5 // stem_stride, 7 // stem_stride]


def test_unet_fast_skips_carry_detail() -> None:
    torch.manual_seed(0)
    network = UNetFast(UNetFastConfig(channels=(4, 8, 8, 8), blocks=(0, 1, 1, 1)), 2).eval()
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        for up in network.up:
            up.narrow[1].weight.zero_()  # nothing comes from below
        moved = image.clone()
        moved[..., 0, 0] += 3
        change = (network(image) - network(moved)).abs().sum(1)[0]
    assert change[0, 0] > 0
    assert change[31, 31] == 0


def test_unet_fast_config_takes_lists_as_json_has_them() -> None:
    assert UNetFastConfig(channels=[8, 16], blocks=[0, 1]) == UNetFastConfig(channels=(8, 16), blocks=(0, 1))


@pytest.mark.parametrize(
    ("config", "stride"), [(UNetFastConfig(), 16), (UNetFastConfig(channels=(8, 8), blocks=(0, 1), stem_stride=4), 8)]
)
def test_unet_fast_config_stride_is_that_of_the_deepest_map(config: UNetFastConfig, stride: int) -> None:
    assert config.stride_px == stride
    network, seen = UNetFast(config, 2).eval(), []
    network.stages[-1].register_forward_hook(lambda _module, _inputs, output: seen.append(output.shape[2:]))
    network(torch.zeros(1, 3, 2 * stride, 3 * stride))
    assert seen == [(2, 3)]


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"channels": (8,), "blocks": (0,)}, r"got \[8\]"),
        ({"channels": (8, 0), "blocks": (0, 1)}, r"got \[8, 0\]"),
        ({"channels": (1, 8), "blocks": (0, 1), "stem_stride": 4}, r"at least 2, got \[1, 8\]"),
        ({"blocks": (0, 1)}, r"4 stages.*got \[0, 1\]"),
        ({"blocks": (0, 1, 0, 1)}, r"got \[0, 1, 0, 1\]"),
        ({"blocks": (-1, 1, 1, 1)}, r"got \[-1, 1, 1, 1\]"),
        ({"stem_stride": 3}, "got 3"),
        ({"head": "nearest"}, "got 'nearest'"),
    ],
)
def test_unet_fast_config_unusable_value_is_named(settings: dict, value: str) -> None:
    with pytest.raises(UsageError, match=value):
        UNetFastConfig(**settings)
