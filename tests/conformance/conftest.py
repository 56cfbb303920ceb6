"""Exported files, frames and what `runtime.Segmenter` answers to them; each engine is a command that is asked the same.

Every command takes MODEL FRAMES LABELS, as the examples in docs/embedding do.
"""

import functools
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

SIZE_PX = 128
FRAME_COUNT = 100
CALIBRATION_FRAMES = 16
NETWORKS = ("unet", "unet-fast")
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model file and the right answer.

    Attributes:
        model: the file.
        frames: raw bytes of uint8 RGB frames, one after the other.
        labels: uint8 [frames, H, W], as `runtime.Segmenter` gives them on the CPU.
        precision: of the file.
        confidence: as the labels, where the file has this output.
    """

    model: Path
    frames: Path
    labels: NDArray[np.uint8]
    precision: str
    confidence: NDArray[np.uint8] | None = None

    def labels_by(self, *command: object) -> NDArray[np.uint8]:
        """What another engine answers; `command` without its three arguments."""
        return self.answers_by(*command, names=("labels",))[0]

    def answers_by(
        self, *command: object, names: tuple[str, ...] = ("labels", "confidence")
    ) -> list[NDArray[np.uint8]]:
        """The same of several outputs."""
        files = [self.frames.with_suffix(f".{name}") for name in names]
        for file in files:
            file.unlink(missing_ok=True)
        run_command(*command, self.model, self.frames, *files)
        return [np.fromfile(file, np.uint8) for file in files]

    def agreement(self, answer: NDArray[np.uint8]) -> float:
        """Share of labels that are the same; 1.0 only where every byte is."""
        if answer.size != self.labels.size:
            pytest.fail(f"{self.model.name}: expected {self.labels.size} labels, got {answer.size}")
        return 1.0 - float(np.count_nonzero(answer.ravel() != self.labels.ravel())) / self.labels.size


def run_command(*command: object) -> None:
    """Runs to the end; the test fails with what the command said where it did not succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=280)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(str(part) for part in command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def export_file(run: Path, precision: str, path: Path) -> None:
    """The run's best network as the file that vehicles get."""
    from export.describe import describe
    from export.graph.deploy import Deploy
    from export.graph.trace import OPSET, finish, trace
    from export.settings import ExportSettings
    from trainer.data.dataset import open_dataset
    from trainer.evaluate import load_trained
    from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

    settings = ExportSettings(precision=precision)
    trained = load_trained(run / "best.safetensors")
    deploy = Deploy(trained.network, settings, SIZE_PX, SIZE_PX, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    graph = trace(deploy)
    if precision == "fp16":
        from export.numerics.half import to_half

        graph = to_half(graph)
    elif precision == "int8":
        from export.numerics.int8 import Int8Settings, to_int8

        dataset = open_dataset(run.with_name("scenes"))
        frames = [dataset.read("train", index).image_hwc for index in range(CALIBRATION_FRAMES)]
        names = [str(index) for index in range(CALIBRATION_FRAMES)]
        graph = to_int8(graph, frames, names, Int8Settings()).model
    path.write_bytes(finish(graph, describe(trained, run.name, settings, opset=OPSET)))


@pytest.fixture(scope="session")
def embedding() -> Path:
    """The folder of the examples."""
    return Path(__file__).parents[2] / "docs" / "embedding"


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Trains a small network of a name on synthetic scenes, once: random weights would leave near ties everywhere."""
    from trainer.data.dataset import open_dataset
    from trainer.data.synthetic import write_scenes
    from trainer.learning.optimise import OptimiserConfig
    from trainer.loop import fit
    from trainer.networks.unet import UNetConfig
    from trainer.networks.unet_fast import UNetFastConfig
    from trainer.settings.config import TrainConfig

    networks = {
        "unet": UNetConfig(width=8, depth=3),
        "unet-fast": UNetFastConfig(channels=(16, 24, 32), blocks=(0, 1, 1)),
    }
    folder = tmp_path_factory.mktemp("conformance-runs")
    write_scenes(folder / "scenes", 60, SIZE_PX, 1)

    @functools.cache
    def trained(name: str) -> Path:
        config = TrainConfig(
            height_px=SIZE_PX,
            width_px=SIZE_PX,
            epochs=6,
            batch_size=4,
            optimiser=OptimiserConfig(learning_rate=1e-2),
            precision="no",
            network=networks[name],
        )
        fit(config, open_dataset(folder / "scenes"), folder / name)
        return folder / name

    return trained


@pytest.fixture(scope="session")
def frames_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic scenes that no network was trained on, as raw RGB bytes."""
    from trainer.data.synthetic import render_scene

    path = tmp_path_factory.mktemp("conformance-frames") / "frames.rgb"
    np.stack([render_scene(7, index, SIZE_PX)[0] for index in range(FRAME_COUNT)]).tofile(path)
    return path


@pytest.fixture(
    scope="session",
    params=[(network, precision) for network in NETWORKS for precision in PRECISIONS],
    ids=lambda parameter: "-".join(parameter),
)
def case(
    request: pytest.FixtureRequest,
    runs: Callable[[str], Path],
    frames_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    """Each network in each precision."""
    from runtime import Segmenter

    network, precision = request.param
    model = tmp_path_factory.mktemp("conformance-models") / f"{network}.{precision}.onnx"
    export_file(runs(network), precision, model)
    frames = np.fromfile(frames_file, np.uint8).reshape(-1, SIZE_PX, SIZE_PX, 3)
    with Segmenter(model, provider="cpu") as segmenter:
        labels = np.stack([segmenter.segment(frame).labels for frame in frames])
    shares = np.bincount(labels.ravel(), minlength=256) / labels.size
    if (shares > 0.01).sum() < 4:
        pytest.fail(f"{model.name}: expected labels of at least 4 classes, got {shares.nonzero()[0].tolist()}")
    return Case(model=model, frames=frames_file, labels=labels, precision=precision)


@pytest.fixture(scope="session")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A model whose answers numpy knows, of 7x5 pixels: the strongest channel, and its value as confidence."""
    folder = tmp_path_factory.mktemp("conformance-handmade")
    shape = [1, 5, 7, 3]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["float"], ["strongest"], axis=3, keepdims=0),
        helper.make_node("Cast", ["strongest"], ["labels"], to=TensorProto.UINT8),
        helper.make_node("ReduceMax", ["float"], ["value"], axes=[3], keepdims=0),
        helper.make_node("Cast", ["value"], ["confidence"], to=TensorProto.UINT8),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, shape)
    answers = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape[:3]) for name in ("labels", "confidence")]
    graph = helper.make_graph(nodes, "handmade", [image], answers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / "handmade.onnx")
    frames = np.random.default_rng(0).integers(0, 256, (4, *shape[1:]), dtype=np.uint8)
    frames.tofile(folder / "frames.rgb")
    return Case(
        model=folder / "handmade.onnx",
        frames=folder / "frames.rgb",
        labels=frames.argmax(3).astype(np.uint8),
        precision="fp32",
        confidence=frames.max(3),
    )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Makes a Python environment with these packages and gives its python; skips where pip can't fetch them."""
    folders = []

    @functools.cache
    def made(*requirements: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        folders.append(folder)
        venv.create(folder, with_pip=True)
        python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280)
        if done.returncode != 0:
            pytest.skip(f"pip can't install {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1]}")
        return python

    yield made
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)  # hundreds of MB that pytest would keep
