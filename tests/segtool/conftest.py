"""A model file small enough to work out by hand, a data set for it, and the command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from runtime.camera import CameraSpec
from runtime.golden import GOLDEN_KEY, pack_golden
from runtime.seal import seal
from runtime.spec import SPEC_KEY, ModelSpec
from trainer.data.label_space import label_space

ROOT = Path(__file__).resolve().parents[2]
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from segtool.__main__ import main
main()
"""


def rgb_model(height_px: int, width_px: int) -> onnx.ModelProto:
    """Labels a pixel by its strongest channel: 0 red, 1 green, 2 blue; black is 255, no valid answer."""
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["levels"], ["strongest"], axis=3, keepdims=0),
        helper.make_node("Cast", ["strongest"], ["channel"], to=TensorProto.UINT8),
        helper.make_node("ReduceMax", ["levels", "last"], ["highest"], keepdims=0),
        helper.make_node("Equal", ["highest", "black"], ["nothing"]),
        helper.make_node("Where", ["nothing", "no_answer", "channel"], ["labels"]),
    ]
    graph = helper.make_graph(
        nodes,
        "rgb",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height_px, width_px, 3])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, [1, height_px, width_px])],
        [
            helper.make_tensor("last", TensorProto.INT64, [1], [3]),
            helper.make_tensor("black", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("no_answer", TensorProto.UINT8, [], [255]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes a sealed model file; named fields replace those of its spec."""

    def write(name: str = "model.onnx", **changes: object) -> Path:
        space = label_space("categories")
        facts = {
            "label_space": space.name,
            "classes": space.classes,
            "palette": space.palette,
            "height_px": 4,
            "width_px": 4,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "precision": "fp32",
            "training": {"run": "by hand", "seed": 0},
            "producer": {"segtool": "0"},
            "parity": {"frames": 3, "labels": {"agreement": 1.0}},
        }
        spec = ModelSpec(**(facts | changes))
        model = rgb_model(spec.height_px, spec.width_px) if spec.camera is None else bgr_model(spec)
        metadata = {SPEC_KEY: spec.to_json()}
        if spec.golden is not None:
            black, green = np.zeros((2, *spec.frame_shape), np.uint8)
            green[..., 1] = 200
            labels = [np.full(spec.labels_shape, label, np.uint8) for label in (255, 1)]
            metadata[GOLDEN_KEY] = pack_golden([black, green], labels)
        helper.set_model_props(model, metadata)
        file = tmp_path / name
        file.write_bytes(seal(model.SerializeToString()))
        return file

    return write


def bgr_model(spec: ModelSpec) -> onnx.ModelProto:
    """`rgb_model` behind a BGR camera that may crop; confidence, where it is asked for, is the crop's green."""
    camera = spec.camera
    left, top, width, height = camera.crop or (0, 0, camera.width_px, camera.height_px)
    inner = rgb_model(height, width)
    graph = inner.graph
    cut = {"starts": [top, left], "ends": [top + height, left + width], "rows_columns": [1, 2]}
    graph.initializer.extend(helper.make_tensor(name, TensorProto.INT64, [2], ends) for name, ends in cut.items())
    graph.initializer.append(helper.make_tensor("reversed", TensorProto.INT64, [3], [2, 1, 0]))
    graph.initializer.append(helper.make_tensor("one", TensorProto.INT64, [], [1]))
    graph.node[0].input[0] = "rgb"
    graph.node.insert(0, helper.make_node("Slice", ["image", *cut], ["bgr"]))
    graph.node.insert(1, helper.make_node("Gather", ["bgr", "reversed"], ["rgb"], axis=3))
    names = ["labels"]
    if spec.confidence is not None:
        graph.node.append(helper.make_node("Gather", ["rgb", "one"], ["confidence"], axis=3))
        names.append("confidence")
    del graph.input[:], graph.output[:]
    shape = [spec.batch, *spec.frame_shape]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, shape))
    shape = [spec.batch, height, width]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name in names)
    return inner


@pytest.fixture
def write_camera_model(write_model: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a file of a BGR camera 4x6; with `golden` in its spec it carries two frames that are black and green."""

    def write(crop: tuple[int, int, int, int] | None = None, **changes: object) -> Path:
        camera = CameraSpec(height_px=6, width_px=4, layout="bgr", crop=crop)
        height_px, width_px = camera.seen_shape
        return write_model("camera.onnx", camera=camera, height_px=height_px, width_px=width_px, **changes)

    return write


@pytest.fixture
def model_file(write_model: Callable[..., Path]) -> Path:
    return write_model()


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Path:
    """Image pairs 8x4 (PNG, exact): left half red (road), right half green; the truth says road | building | sign."""
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[:, :2, 0] = 200
    photo[:, 2:, 1] = 200
    mask = np.empty((4, 4, 3), np.uint8)
    mask[:, :2] = (128, 64, 128)  # road: flat, 0
    mask[:, 2:] = (70, 70, 70)  # building: construction, 1
    mask[0, 3] = (220, 220, 0)  # traffic sign: object, 2; the photo is green there, so one pixel is wrong
    for split in ("train", "val"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        Image.fromarray(np.hstack([photo, mask])).save(tmp_path / "pairs" / split / "1.png")
    return tmp_path / "pairs"


@pytest.fixture
def segtool_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Returns a function that runs the command line in a new process where the `blocked` packages can't be imported."""

    def run(*arguments: object, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        program = ["-c", BLOCKER.format(blocked=blocked)] if blocked else ["-m", "segtool"]
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            check=False,
        )

    return run
