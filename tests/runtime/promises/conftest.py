"""What the promises of the runtime are tested on: a network that was really trained, in each precision.

Each promise is one test body that takes a count: a small one in every run, the promised one in the slow runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from runtime.golden import GOLDEN_KEY, pack_golden
from runtime.options import EngineOptions
from runtime.seal import seal
from runtime.segmenter import Segmenter
from runtime.spec import SPEC_KEY, ModelSpec

CALIBRATION_FRAMES = 12


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network as a graph of one precision, not sealed, and what is said of it."""

    graph: onnx.ModelProto
    spec: ModelSpec

    def sealed(self, graph: onnx.ModelProto | None = None, golden: str | None = None) -> bytes:
        """The graph, or an altered one, as a file."""
        copy = onnx.ModelProto()
        copy.CopyFrom(graph or self.graph)
        helper.set_model_props(copy, {SPEC_KEY: self.spec.to_json()} | ({GOLDEN_KEY: golden} if golden else {}))
        return seal(copy.SerializeToString())


@pytest.fixture(scope="session")
def trained(request: pytest.FixtureRequest, pairs: Path) -> dict[str, Trained]:
    """The small run of the whole suite in fp32, fp16 and int8; skips where there is no torch to make it."""
    pytest.importorskip("torch")
    from export.describe import describe
    from export.graph.deploy import Deploy
    from export.graph.trace import OPSET, trace
    from export.numerics.half import to_half
    from export.numerics.int8 import Int8Settings, to_int8
    from export.settings import ExportSettings
    from trainer.data.dataset import open_dataset
    from trainer.evaluate import load_trained
    from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

    best = load_trained(request.getfixturevalue("trained_run") / "best.safetensors")
    specs = {
        precision: describe(best, "small", ExportSettings(precision=precision), opset=OPSET)
        for precision in ("fp32", "fp16", "int8")
    }
    size_px = specs["fp32"].height_px, specs["fp32"].width_px
    graph = trace(Deploy(best.network, ExportSettings(), *size_px, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    data = open_dataset(pairs)
    frames = [data.read("train", index).image_hwc for index in range(CALIBRATION_FRAMES)]
    names = [str(index) for index in range(CALIBRATION_FRAMES)]
    graphs = {"fp32": graph, "fp16": to_half(graph), "int8": to_int8(graph, frames, names, Int8Settings()).model}
    return {precision: Trained(graph=graphs[precision], spec=spec) for precision, spec in specs.items()}


@pytest.fixture(scope="session")
def golden_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Trained], tuple[Trained, str]]:
    """The same network with golden frames as an export puts them in: what its spec then says, and the frames."""
    from dataclasses import replace

    from export.golden import AGREEMENT, golden_frames

    def packed(trained: Trained) -> tuple[Trained, str]:
        path = tmp_path_factory.mktemp("golden") / "model.onnx"
        path.write_bytes(trained.sealed())
        frames, source = golden_frames(trained.spec, None)
        with Segmenter(path, "cpu", options=EngineOptions(threads=1)) as segmenter:
            labels = [segmenter.segment(frame).labels for frame in frames]
        golden = {"frames": len(frames), "source": source, "agreement": dict(AGREEMENT)}
        spec = replace(trained.spec, golden=golden)
        return Trained(graph=trained.graph, spec=spec), pack_golden(frames, labels)

    return packed


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Segmenter]:
    """A Segmenter of these bytes on the CPU, with one thread."""

    def make(data: bytes, **keywords: object) -> Segmenter:
        path = tmp_path / "model.onnx"
        path.write_bytes(data)
        return Segmenter(path, "cpu", options=EngineOptions(threads=1), warmup_frames=0, **keywords)

    return make


@pytest.fixture
def random_frame() -> Callable[[ModelSpec], np.ndarray]:
    """A frame of noise for a spec."""
    return lambda spec: np.random.default_rng(5).integers(0, 256, spec.frame_shape, dtype=np.uint8)
