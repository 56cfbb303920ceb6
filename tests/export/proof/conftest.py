"""Small networks trained for a moment on synthetic scenes, so that their logits mean something, and their graphs."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch.nn import functional

from export.describe import describe
from export.graph.deploy import Deploy
from export.graph.trace import OPSET, finish, trace
from export.settings import ExportSettings
from trainer.checkpoint import Checkpoint
from trainer.data.augment import fit
from trainer.data.dataset import Frame, open_dataset
from trainer.data.synthetic import write_scenes
from trainer.evaluate import TrainedNetwork
from trainer.networks.catalogue import NetworkConfig, build_network
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig

NETWORK_PX = 64
SCENE_PX = 96
STEPS = 25

Train = Callable[..., TrainedNetwork]
Planted = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """24 street scenes of 96x96 with seven categories; the last 12 are not trained on."""
    folder = tmp_path_factory.mktemp("scenes") / "pairs"
    write_scenes(folder, 24, SCENE_PX, seed=7, val_share=0.5)
    source = open_dataset(folder, "categories")
    return [source.read(split, index) for split in ("train", "val") for index in range(12)]


@pytest.fixture(scope="session")
def unseen(scenes: list[Frame]) -> list[Frame]:
    return scenes[12:]


@pytest.fixture(scope="session")
def train(scenes: list[Frame]) -> Train:
    """Trains a network for some steps on the first 12 scenes."""

    def make(seed: int = 0, network: NetworkConfig | None = None, steps: int = STEPS) -> TrainedNetwork:
        torch.manual_seed(seed)
        config = TrainConfig(
            height_px=NETWORK_PX, width_px=NETWORK_PX, precision="no", network=network or UNetConfig(width=8, depth=2)
        )
        module = build_network(config.network, 7)
        small = [fit(frame, NETWORK_PX, NETWORK_PX) for frame in scenes[:12]]
        images = Normalise()(torch.from_numpy(np.stack([frame.image_hwc for frame in small])))
        truths = torch.from_numpy(np.stack([frame.labels_hw for frame in small])).long()
        optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
        for step in range(steps):
            part = slice(0, 6) if step % 2 else slice(6, 12)
            optimiser.zero_grad()
            functional.cross_entropy(module(images[part]), truths[part], ignore_index=255).backward()
            optimiser.step()
        data = {"name": "scenes", "sha256": "0" * 64}
        return TrainedNetwork(
            network=module.eval(),
            config=config,
            label_space="categories",
            classes=("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
            palette=tuple((label, label, label) for label in range(7)),
            checkpoint=Checkpoint(tensors={}, record={"data": data, "epoch": 1, "best_mean_iou": 0.5}),
        )

    return make


@pytest.fixture(scope="session")
def trained(train: Train) -> TrainedNetwork:
    return train()


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., onnx.ModelProto]:
    """Traces a network as export does, once for equal settings; `fault` is planted into the module before that."""
    known: dict[tuple[int, ExportSettings], onnx.ModelProto] = {}

    def make(
        trained: TrainedNetwork, settings: ExportSettings | None = None, fault: Callable[[Deploy], None] | None = None
    ) -> onnx.ModelProto:
        key = (id(trained), settings or ExportSettings())
        if fault is None and key in known:
            return known[key]
        config = trained.config
        deploy = Deploy(
            trained.network,
            settings or ExportSettings(),
            config.height_px,
            config.width_px,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        )
        if fault is not None:
            fault(deploy)
            return trace(deploy)
        known[key] = trace(deploy)
        return known[key]

    return make


@pytest.fixture(scope="session")
def plain_graph(trained: TrainedNetwork, graph_of: Callable[..., onnx.ModelProto]) -> onnx.ModelProto:
    return graph_of(trained)


@pytest.fixture(scope="session")
def file_of() -> Callable[..., bytes]:
    """A finished file; `fault` changes a copy of the graph."""

    def make(
        trained: TrainedNetwork,
        graph: onnx.ModelProto,
        settings: ExportSettings | None = None,
        fault: Planted | None = None,
    ) -> bytes:
        settings = settings or ExportSettings()
        copy = onnx.ModelProto()
        copy.CopyFrom(graph)
        if fault is not None:
            fault(copy)
        confidence = {"temperature": 1.0} if settings.confidence else None
        return finish(copy, describe(trained, "run", settings, opset=OPSET, confidence=confidence))

    return make


def _weight(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _change(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = _weight(model, name)
    changed = change(numpy_helper.to_array(tensor).copy()).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed), name))


def _nodes(model: onnx.ModelProto, kind: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def _bgr_swap(model: onnx.ModelProto) -> None:
    planes = numpy_helper.from_array(np.array([2, 1, 0]), "planted.planes")
    model.graph.initializer.append(planes)
    model.graph.node[0].input[0] = "planted"
    model.graph.node.insert(0, onnx.helper.make_node("Gather", ["image", planes.name], ["planted"], axis=3))


def _wrong_mean(model: onnx.ModelProto) -> None:
    _change(model, _nodes(model, "Sub")[0].input[1], lambda mean: mean + 10)


def _wrong_std(model: onnx.ModelProto) -> None:
    _change(model, _nodes(model, "Mul")[0].input[1], lambda scale: scale * 1.2)


def _shift(model: onnx.ModelProto) -> None:
    _change(model, _nodes(model, "Conv")[0].input[1], lambda weight: np.roll(weight, 1, 3))


def _nan_channel(model: onnx.ModelProto) -> None:
    def overflow(weight: np.ndarray) -> np.ndarray:
        weight[1] = 3e38  # finite as a weight, so it may be written; its sums are not
        return weight

    _change(model, _nodes(model, "Conv")[3].input[1], overflow)


def _half_overflow(model: onnx.ModelProto) -> None:
    """What a GPU does in half: one channel so large that it becomes infinite, the next layer as much smaller."""
    first, second = _nodes(model, "Conv")[3:5]

    def larger(values: np.ndarray) -> np.ndarray:
        values[0] *= 1e6
        return values

    def smaller(weight: np.ndarray) -> np.ndarray:
        weight[:, 0] /= 1e6
        return weight

    for name in first.input[1:]:
        _change(model, name, larger)
    _change(model, second.input[1], smaller)
    value, made = first.output[0], "planted.sums"
    first.output[0] = made
    for name, number in (("planted.limit", 65504), ("planted.large", 100)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(number, np.float32), name))
    extra = [  # times exp(100), which is infinite, where it is over the limit; times exp(0) elsewhere
        onnx.helper.make_node("Greater", [made, "planted.limit"], ["planted.over"]),
        onnx.helper.make_node("Cast", ["planted.over"], ["planted.one"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", ["planted.one", "planted.large"], ["planted.shift"]),
        onnx.helper.make_node("Exp", ["planted.shift"], ["planted.factor"]),
        onnx.helper.make_node("Mul", [made, "planted.factor"], [value]),
    ]
    place = next(index for index, node in enumerate(model.graph.node) if made in node.output)
    for offset, node in enumerate(extra, start=1):
        model.graph.node.insert(place + offset, node)


def _class_permutation(model: onnx.ModelProto) -> None:
    for name in _nodes(model, "Conv")[-1].input[1:]:
        _change(model, name, lambda values: np.roll(values, 1, 0))


def _bad_layer(model: onnx.ModelProto) -> None:
    _change(model, _nodes(model, "Conv")[4].input[1], lambda weight: -weight)


FAULTS: dict[str, Planted] = {
    "bgr swap": _bgr_swap,
    "wrong mean": _wrong_mean,
    "wrong std": _wrong_std,
    "shift": _shift,
    "nan channel": _nan_channel,
    "half overflow": _half_overflow,
    "class permutation": _class_permutation,
    "bad layer": _bad_layer,
}


@pytest.fixture(scope="session", params=FAULTS)
def fault(request: pytest.FixtureRequest) -> tuple[str, Planted]:
    """Each fault of a plain graph, by name."""
    return request.param, FAULTS[request.param]


@pytest.fixture(scope="session")
def faults() -> dict[str, Planted]:
    return FAULTS
