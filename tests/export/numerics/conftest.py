"""A small network as an exported graph, and faults of precision to plant in it."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from trainer.networks.ends import Normalise, labels_from_logits

HEIGHT_PX, WIDTH_PX, CLASSES = 32, 48, 5


class SmallNetwork(nn.Module):
    """Every kind of layer that the trainer's networks have, in 0.1 s a frame or less."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.conv3, self.conv4 = nn.Conv2d(8, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.conv5 = nn.Conv2d(16, 16, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.conv6, self.conv7 = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.head = nn.Conv2d(8, CLASSES, 1)

    def forward(self, normalised: Tensor) -> Tensor:
        skip = self.conv2(self.conv1(normalised).relu()).relu()
        deep = self.conv4(self.conv3(self.pool(skip)).relu()).relu()
        deep = nn.functional.relu6(self.conv5(deep))
        wide = self.conv6(torch.cat([skip, self.up(deep)], dim=1)).relu()
        logits = self.head(self.conv7(wide).relu())
        return nn.functional.interpolate(logits, scale_factor=2, mode="bilinear")


class WithEnds(nn.Module):
    """uint8 image -> labels, and the two values between which the network lies."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.normalise, self.network = Normalise(), network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normalised = self.normalise(image)
        logits = self.network(normalised)
        return labels_from_logits(logits), normalised, logits


@pytest.fixture(scope="session")
def trace() -> Callable[[nn.Module, int, int], onnx.ModelProto]:
    """Network, height and width -> graph with `image`, `normalised`, `logits` and `labels`."""

    def traced(network: nn.Module, height_px: int, width_px: int) -> onnx.ModelProto:
        program = torch.onnx.export(
            WithEnds(copy.deepcopy(network)).eval(),
            (torch.full((1, height_px, width_px, 3), 128, dtype=torch.uint8),),
            dynamo=True,
            opset_version=18,
            input_names=["image"],
            output_names=["labels", "normalised", "logits"],
            external_data=False,
            verbose=False,
        )
        model = program.model_proto
        model.ir_version = 10
        del model.graph.output[1:], model.graph.value_info[:]
        return model

    return traced


@pytest.fixture(scope="session")
def network() -> SmallNetwork:
    """With random weights that let every layer's values keep their size."""
    torch.manual_seed(0)
    small = SmallNetwork()
    for module in small.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, std=0.1)
    return small.eval()


@pytest.fixture(scope="session")
def small_graph(trace: Callable[..., onnx.ModelProto], network: SmallNetwork) -> onnx.ModelProto:
    return trace(network, HEIGHT_PX, WIDTH_PX)


@pytest.fixture(scope="session")
def images() -> list[NDArray[np.uint8]]:
    """Eight frames of smooth blobs, as the graph takes them."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.integers(0, 256, (8, 3, 4, 6)).astype(np.float32))
    smooth = nn.functional.interpolate(coarse, size=(HEIGHT_PX, WIDTH_PX), mode="bicubic").clamp(0, 255)
    return [frame[None] for frame in smooth.permute(0, 2, 3, 1).to(torch.uint8).numpy()]


@pytest.fixture(scope="session")
def planted() -> Callable[[onnx.ModelProto, Sequence[tuple[str, str]], int], onnx.ModelProto]:
    """Graph, pairs of layers and a power -> the same function, with 2**power times the values between each pair."""

    def plant(model: onnx.ModelProto, pairs: Sequence[tuple[str, str]], power: int) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(model)
        weights = {tensor.name: tensor for tensor in result.graph.initializer}
        for layer, reader in pairs:
            for name, factor in ((f"{layer}.weight", power), (f"{layer}.bias", power), (f"{reader}.weight", -power)):
                tensor = weights[f"network.{name}"]
                values = numpy_helper.to_array(tensor) * np.float32(2.0**factor)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return result

    return plant


@pytest.fixture(scope="session")
def node_of() -> Callable[[onnx.ModelProto, str], str]:
    """Graph and layer ("conv3") -> the name of its node."""

    def find(model: onnx.ModelProto, layer: str) -> str:
        return next(node.name for node in model.graph.node if f"network.{layer}.weight" in node.input)

    return find


@pytest.fixture(scope="session")
def hand_made() -> Callable[[list[onnx.NodeProto]], onnx.ModelProto]:
    """Nodes -> graph: image -> Cast -> normalised -> nodes -> logits -> ArgMax -> labels, all of shape [1,3,4,4]."""

    def make(nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
        front = helper.make_node("Cast", ["image"], ["normalised"], "front", to=TensorProto.FLOAT)
        back = helper.make_node("ArgMax", ["logits"], ["labels"], "back", axis=1)
        graph = helper.make_graph(
            [front, *nodes, back],
            "g",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, 4, 4])],
            [helper.make_tensor_value_info("labels", TensorProto.INT64, None)],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)

    return make
