"""A run that was never trained and the files of it: how fast and how equal engines are does not ask for good labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SIZE_PX = 32


def write_run(path: Path, seed: int) -> Path:
    """A run folder with the best checkpoint of a tiny U-Net drawn from a seed."""
    import torch

    from trainer.checkpoint import Checkpoint, save_checkpoint
    from trainer.networks.catalogue import build_network
    from trainer.networks.unet import UNetConfig
    from trainer.settings.config import TrainConfig

    torch.manual_seed(seed)
    config = TrainConfig(height_px=SIZE_PX, width_px=SIZE_PX, network=UNetConfig(width=8, depth=2))
    network = build_network(config.network, 3)
    space = {"name": "own", "classes": ["road", "sky", "car"], "palette": [[0, 0, 0], [0, 0, 255], [255, 0, 0]]}
    record = {
        "config": config.to_dict(),
        "label_space": space,
        "data": {"name": "none", "sha256": "00" * 32},
        "epoch": 1,
        "best_mean_iou": 0.1,
    }
    path.mkdir()
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    save_checkpoint(path / "best.safetensors", Checkpoint(tensors=tensors, record=record))
    return path


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A run and its files; `other` is another run of the same network, settings and name."""

    run: Path
    other: Path
    float_file: Path
    int8_file: Path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    from export.describe import describe
    from export.graph.deploy import Deploy
    from export.graph.trace import OPSET, finish, trace
    from export.numerics.int8 import Int8Settings, to_int8
    from export.settings import ExportSettings
    from trainer.evaluate import load_trained
    from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

    folder = tmp_path_factory.mktemp("peers")
    (folder / "again").mkdir()
    run, other = write_run(folder / "run", seed=0), write_run(folder / "again" / "run", seed=1)
    trained, settings = load_trained(run / "best.safetensors"), ExportSettings()
    graph = trace(Deploy(trained.network, settings, SIZE_PX, SIZE_PX, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    (folder / "float.onnx").write_bytes(finish(graph, describe(trained, "run", settings, opset=OPSET)))
    images = noise(4)
    quantised = to_int8(graph, images, [str(index) for index in range(len(images))], Int8Settings()).model
    spec = describe(trained, "run", ExportSettings(precision="int8"), opset=OPSET)
    (folder / "int8.onnx").write_bytes(finish(quantised, spec))
    return Exported(run=run, other=other, float_file=folder / "float.onnx", int8_file=folder / "int8.onnx")


def noise(count: int) -> list[np.ndarray]:
    """Frames uint8 [32,32,3]."""
    generator = np.random.default_rng(5)
    return [generator.integers(0, 256, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8) for _ in range(count)]


@pytest.fixture
def noise_frames() -> list[np.ndarray]:
    return noise(3)
