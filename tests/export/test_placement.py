"""Every network's exported graph runs on the GPU as a whole, asked of ONNX Runtime's CUDA provider without a GPU."""

import functools
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
import torch
from onnx import helper

from export.graph.deploy import Deploy
from export.graph.trace import trace
from export.numerics.half import to_half
from export.settings import ExportSettings
from runtime.camera import CameraSpec
from trainer.networks.catalogue import NETWORK_NAMES, NetworkConfig, build_network, network_name
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.encoders import ENCODER_NAMES
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD
from trainer.networks.unet import UNetConfig
from trainer.networks.unet_fast import UNetFastConfig

HEIGHT_PX, WIDTH_PX = 64, 96
CLASS_COUNT = 7
SMALL = {"width": 4, "depth": 2}
CONFIGS: dict[str, NetworkConfig] = {
    "unet": UNetConfig(**SMALL),
    "unet bilinear": UNetConfig(**SMALL, up="bilinear"),
    "unet attention": UNetConfig(**SMALL, attention=True),
    "unet aspp": UNetConfig(**SMALL, bottleneck="aspp"),
    "unet-fast": UNetFastConfig(channels=(8, 8, 8), blocks=(1, 1, 1)),
    "unet-fast shuffle": UNetFastConfig(channels=(8, 8), blocks=(0, 1), stem_stride=4, head="shuffle"),
    **{f"encoder-unet {name}": EncoderUNetConfig(encoder=name, width=4) for name in ENCODER_NAMES},
    "deeplabv3plus": DeepLabV3PlusConfig(width=8),
    "deeplabv3": DeepLabV3Config(),
}
# of the same operations as resnet18, and seconds to trace
SLOW = {"encoder-unet resnet34", "encoder-unet resnet50"}
NETWORKS = [
    pytest.param(config, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, config in CONFIGS.items()
]

LARGE = {"height_px": 2 * HEIGHT_PX + 30, "width_px": 3 * WIDTH_PX}
CROPPED = {**LARGE, "crop": (20, 10, 2 * WIDTH_PX, 2 * HEIGHT_PX)}
YUV = {"yuv_matrix": "bt709", "yuv_range": "limited"}
CAMERAS: dict[str, CameraSpec] = {
    "rgb products": CameraSpec(**LARGE, resize="products"),
    "rgb resize-node": CameraSpec(**LARGE, resize="resize-node"),
    "rgb cropped": CameraSpec(**CROPPED, resize="products"),
    "bgr": CameraSpec(height_px=HEIGHT_PX, width_px=WIDTH_PX, layout="bgr"),
    "bgr resize-node": CameraSpec(**CROPPED, layout="bgr", resize="resize-node"),
    "nv12": CameraSpec(height_px=HEIGHT_PX, width_px=WIDTH_PX, layout="nv12", yuv_matrix="bt601", yuv_range="full"),
    "nv12 products": CameraSpec(**CROPPED, layout="nv12", **YUV, resize="products"),
    "nv12 resize-node": CameraSpec(**LARGE, layout="nv12", **YUV, resize="resize-node"),
    "uyvy products": CameraSpec(**LARGE, layout="uyvy", **YUV, resize="products"),
    "uyvy resize-node": CameraSpec(**CROPPED, layout="uyvy", **YUV, resize="resize-node"),
}
OPTIONS: dict[str, ExportSettings] = {
    **{f"camera {name}": ExportSettings(camera=camera) for name, camera in CAMERAS.items()},
    "labels of logits": ExportSettings(camera=CAMERAS["rgb products"], labels_at="camera", labels_from="logits"),
    "labels of labels": ExportSettings(camera=CAMERAS["nv12 products"], labels_at="camera", labels_from="labels"),
    "confidence": ExportSettings(confidence=True),
    "confidence of logits": ExportSettings(camera=CAMERAS["rgb cropped"], labels_at="camera", confidence=True),
    "confidence of labels": ExportSettings(
        camera=CAMERAS["rgb cropped"], labels_at="camera", labels_from="labels", confidence=True
    ),
    "batch": ExportSettings(batch=2, camera=CAMERAS["nv12 resize-node"], confidence=True),
}

Place = Callable[[bytes], Any]


@functools.cache
def traced(config: NetworkConfig, settings: ExportSettings) -> onnx.ModelProto:
    torch.manual_seed(0)
    network = build_network(config, CLASS_COUNT).eval()
    return trace(Deploy(network, settings, HEIGHT_PX, WIDTH_PX, mean=IMAGENET_MEAN, std=IMAGENET_STD))


def exported_graph(config: NetworkConfig, settings: ExportSettings) -> bytes:
    """The graph of a freshly initialised network, as export makes it."""
    model = traced(config, replace(settings, precision="fp32"))
    if settings.precision == "fp16":
        model = to_half(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def placement() -> ModuleType:
    path = Path(__file__).parents[1] / "cuda_standin" / "placement.py"
    spec = importlib.util.spec_from_file_location("cuda_standin_placement", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def place(placement: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the nodes of a model go; the stand-ins for CUDA's libraries are built once."""
    standins, models = tmp_path_factory.mktemp("standins"), tmp_path_factory.mktemp("placed")
    try:
        placement.build(standins)
    except placement.UnavailableError as reason:
        pytest.skip(f"CUDA placement can't be asked here: {reason}")

    def ask(model: bytes) -> Any:
        path = models / "model.onnx"
        path.write_bytes(model)
        return placement.place(path, standins)

    return ask


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    return onnx.load_from_string(exported_graph(CONFIGS["unet"], ExportSettings()))


def planted(model: onnx.ModelProto, op_type: str) -> bytes:
    """The model with one more node, behind its first Relu: of float to float, whose result the rest goes on with."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = copy.graph.node
    place = next(index for index, node in enumerate(nodes) if node.op_type == "Relu") + 1
    value = nodes[place - 1].output[0]
    for node in nodes:
        node.input[:] = ["planted" if name == value else name for name in node.input]
    nodes.insert(place, helper.make_node(op_type, [value], ["planted"], name="planted_node"))
    onnx.checker.check_model(copy, full_check=True)
    return copy.SerializeToString()


def test_configs_hold_every_network_of_the_catalogue() -> None:
    assert {network_name(config) for config in CONFIGS.values()} == set(NETWORK_NAMES)


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize("precision", [pytest.param("fp32", marks=pytest.mark.slow), "fp16"])
def test_every_network_is_wholly_on_cuda_and_may_be_captured(
    place: Place, config: NetworkConfig, precision: str
) -> None:
    found = place(exported_graph(config, ExportSettings(precision=precision)))
    assert found.whole, found
    assert found.nodes["CUDAExecutionProvider"] > 20


@pytest.mark.parametrize("settings", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_option_is_wholly_on_cuda_and_may_be_captured(
    place: Place, settings: ExportSettings, precision: str
) -> None:
    found = place(exported_graph(CONFIGS["unet"], replace(settings, precision=precision)))
    assert found.whole, found


@pytest.mark.parametrize("op_type", ["Tan", "Hardmax"])
def test_place_node_without_a_cuda_kernel_is_named_with_its_copies(
    place: Place, plain: onnx.ModelProto, op_type: str
) -> None:
    found = place(planted(plain, op_type))
    assert not found.whole
    assert found.not_on_cuda == [f"{op_type} planted_node"]
    assert found.nodes["CPUExecutionProvider"] == 1
    assert found.copies == 2  # to the CPU and back
    assert "graph capture" in found.graph_error


def test_place_planted_node_with_a_cuda_kernel_is_no_finding(place: Place, plain: onnx.ModelProto) -> None:
    assert place(planted(plain, "Round")).whole


def test_place_model_that_does_not_open_says_why(place: Place) -> None:
    found = place(b"no model")
    assert not found.whole
    assert "Protobuf parsing failed" in found.error


@pytest.mark.parametrize("tool", ["gcc", "nm", "readelf"])
def test_build_without_a_tool_says_which(
    placement: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    monkeypatch.setattr(placement.shutil, "which", lambda name: None if name == tool else f"/bin/{name}")
    with pytest.raises(placement.UnavailableError, match=f"^{tool} is not installed$"):
        placement.build(tmp_path)
