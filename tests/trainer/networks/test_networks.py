"""One body of tests for every network of the catalogue; what is special to one stands in the file of its module."""

import copy
import functools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from export.graph.deploy import Deploy
from export.graph.trace import finish, trace, with_stages
from export.settings import ExportSettings
from runtime.errors import UsageError
from runtime.spec import ModelSpec
from trainer.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from trainer.networks.catalogue import (
    NETWORK_NAMES,
    NetworkConfig,
    build_network,
    network_from_dict,
    network_name,
    network_to_dict,
)
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.networks.unet import UNetConfig
from trainer.networks.unet_fast import UNetFastConfig
from trainer.settings.config import TrainConfig

CLASSES = 3
CASES: dict[str, NetworkConfig] = {
    "unet": UNetConfig(width=4, depth=2),
    "unet with all options": UNetConfig(width=4, depth=2, up="bilinear", attention=True, bottleneck="aspp"),
    "unet-fast": UNetFastConfig(channels=(4, 6, 8), blocks=(0, 1, 2)),
    "unet-fast stem of 4": UNetFastConfig(channels=(4, 8), blocks=(1, 1), stem_stride=4, head="shuffle"),
    "encoder-unet": EncoderUNetConfig(encoder="efficientnet_lite0", width=8),
    "deeplabv3plus": DeepLabV3PlusConfig(encoder="mobilenet_v3_large", width=16),
    "deeplabv3": DeepLabV3Config(),
}
each_network = pytest.mark.parametrize("case", CASES)


def smallest(config: NetworkConfig) -> tuple[int, int]:
    """Height and width: the least height that is allowed, and a width that differs from it."""
    return 2 * config.stride_px, 3 * config.stride_px


def noise(config: NetworkConfig, batch: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(batch, 3, *smallest(config), generator=torch.Generator().manual_seed(seed))


@functools.cache
def _settled(case: str) -> nn.Module:
    torch.manual_seed(0)
    network = build_network(CASES[case], CLASSES)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean of what is seen
        nn.init.normal_(norm.bias, 0.0, 0.1)
    with torch.no_grad():
        network.train()(noise(CASES[case], batch=4))
    return network.eval()


def settled(case: str) -> nn.Module:
    """The network with batch norm statistics of noise, as if trained: logits of order 1; in evaluation mode."""
    return copy.deepcopy(_settled(case))


def names_without_case(names: Iterable[str]) -> set[str]:
    return set(names) - {network_name(config) for config in CASES.values()}


def test_cases_every_network_of_the_catalogue_has_one() -> None:
    assert names_without_case(NETWORK_NAMES) == set()


def test_cases_a_new_network_without_one_is_caught() -> None:
    assert names_without_case([*NETWORK_NAMES, "unet-of-tomorrow"]) == {"unet-of-tomorrow"}


@each_network
@pytest.mark.parametrize("size", [(2, 2), (2, 4), (3, 2)])
def test_network_any_multiple_of_its_stride_keeps_the_size(case: str, size: tuple[int, int]) -> None:
    height, width = (factor * CASES[case].stride_px for factor in size)
    with torch.no_grad():
        logits = settled(case)(torch.zeros(2, 3, height, width))
    assert logits.shape == (2, CLASSES, height, width)
    assert logits.dtype == torch.float32


@each_network
def test_network_odd_size_is_refused_with_the_nearest_good_one(case: str) -> None:
    config, stride = CASES[case], CASES[case].stride_px
    expected = f"{3 * stride}x{4 * stride} or {4 * stride}x{4 * stride}"
    with pytest.raises(UsageError, match=f"got {3 * stride + 1}x{4 * stride}; the nearest that fit: {expected}$"):
        TrainConfig(height_px=4 * stride, width_px=3 * stride + 1, network=config)
    TrainConfig(height_px=4 * stride, width_px=3 * stride, network=config)


@each_network
def test_network_config_survives_json(case: str) -> None:
    config = CASES[case]
    values = json.loads(json.dumps(network_to_dict(config)))
    assert values["name"] in NETWORK_NAMES
    assert network_from_dict(values) == config


@each_network
def test_network_same_seed_same_weights_another_seed_others(case: str) -> None:
    def weights(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return list(build_network(CASES[case], CLASSES).parameters())

    first, again, other = weights(7), weights(7), weights(8)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@each_network
def test_network_through_a_checkpoint_gives_the_same_logits(case: str, tmp_path: Path) -> None:
    network, path = settled(case), tmp_path / "best.safetensors"
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    save_checkpoint(path, Checkpoint(tensors=tensors, record={"network": network_to_dict(CASES[case])}))
    loaded = load_checkpoint(path)
    rebuilt = build_network(network_from_dict(loaded.record["network"]), CLASSES).eval()
    load_weights(rebuilt, loaded.validated(), str(path))
    with torch.no_grad():
        assert torch.equal(rebuilt(noise(CASES[case])), network(noise(CASES[case])))


@each_network
def test_network_one_image_at_the_smallest_size_trains(case: str) -> None:
    config = CASES[case]
    network = settled(case).train()
    logits = network(torch.randn(1, 3, config.stride_px * 2, config.stride_px * 2))
    logits.square().mean().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def without_gradient(network: nn.Module, image: Tensor) -> list[str]:
    network.train()(image).square().sum().backward()
    return [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@each_network
def test_network_gradient_reaches_every_parameter(case: str) -> None:
    assert without_gradient(settled(case), noise(CASES[case], batch=4)) == []


def test_network_parameter_that_nothing_uses_is_caught() -> None:
    network = settled("unet")
    network.register_parameter("forgotten", nn.Parameter(torch.ones(1)))
    assert without_gradient(network, noise(CASES["unet"])) == ["forgotten"]


@each_network
def test_network_encoder_is_a_part_of_it_and_not_the_head(case: str) -> None:
    network = settled(case)
    everything = {id(parameter): name for name, parameter in network.named_parameters()}
    encoder = {everything.pop(id(parameter)) for parameter in network.encoder.parameters()}
    assert encoder
    assert everything
    last = list(network.parameters())[-1]
    assert last.shape[0] % CLASSES == 0
    assert id(last) in everything
    assert len(set(network.state_dict())) == len({tensor.data_ptr() for tensor in network.state_dict().values()})


@each_network
def test_network_in_half_is_close_to_single(case: str) -> None:
    network = settled(case)
    with torch.no_grad():
        single = network(noise(CASES[case]))
        half = network.half()(noise(CASES[case]).half())
    assert half.dtype == torch.float16
    assert (half.float() - single).abs().max() < 0.02 * single.abs().max()  # NaN fails


@each_network
def test_network_under_bf16_autocast_is_close_to_single(case: str) -> None:
    network = settled(case)
    with torch.no_grad():
        single = network(noise(CASES[case]))
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(noise(CASES[case]))
    # 8 bits of mantissa: each layer is off by up to 0.4 %, and the deepest network here has some sixty
    assert (mixed.float() - single).abs().max() < 0.25 * single.abs().max()
    assert (mixed.float() - single).abs().mean() < 0.1 * single.abs().mean()


@each_network
def test_network_exported_answers_as_in_torch(case: str) -> None:
    config, network = CASES[case], settled(case)
    height, width = smallest(config)
    model = trace(Deploy(network, ExportSettings(), height, width, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"BatchNormalization", "Identity", "Shape"}
    finish(model, spec(height, width))

    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(with_stages(model, ["logits"]), providers=["CPUExecutionProvider"])
    labels, logits = session.run(["labels", "logits"], {"image": image})
    with torch.no_grad():
        expected = network(Normalise()(torch.from_numpy(image))).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
    clear = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0] > 1e-3 * np.abs(expected).max()
    assert clear.mean() > 0.9
    assert np.array_equal(labels[clear], expected.argmax(1)[clear])


def spec(height: int, width: int) -> ModelSpec:
    return ModelSpec(
        label_space="test",
        classes=("a", "b", "c"),
        palette=((1, 2, 3), (4, 5, 6), (7, 8, 9)),
        height_px=height,
        width_px=width,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        precision="fp32",
        training={},
        producer={},
    )
