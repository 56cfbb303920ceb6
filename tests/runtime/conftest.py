"""A tiny sealed model, built with the onnx package: uint8 image 32x24 -> normalise -> Conv 3x3 -> argmax -> labels."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.camera import CameraSpec
from runtime.golden import GOLDEN_KEY, pack_golden
from runtime.options import EngineOptions
from runtime.seal import SEAL_KEY, seal
from runtime.segmenter import Segmenter
from runtime.spec import SPEC_KEY, ModelSpec

HEIGHT, WIDTH, CLASSES = 24, 32, 4
MakeProto = Callable[..., onnx.ModelProto]


def _spec(**changes: object) -> ModelSpec:
    values: dict[str, object] = {
        "label_space": "four",
        "classes": ("road", "sky", "car", "tree"),
        "palette": ((128, 64, 128), (70, 130, 180), (0, 0, 142), (107, 142, 35)),
        "height_px": HEIGHT,
        "width_px": WIDTH,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "precision": "fp32",
        "training": {"run": "tiny", "seed": 0},
        "producer": {"segtool": "0.1.0"},
    }
    return ModelSpec(**(values | changes))


def _proto(*, scale: float = 1.0, **spec_changes: object) -> onnx.ModelProto:
    spec = _spec(**spec_changes)
    size = (spec.batch, spec.height_px, spec.width_px)
    weight, bias = conv_parameters(scale)
    constants = {
        "mean": np.array(spec.mean, np.float32) * 255,
        "std": np.array(spec.std, np.float32) * 255,
        "weight": weight,
        "bias": bias,
        "largest": np.float32(65504),
        "no_answer": np.uint8(255),
        "class_axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["x", "mean"], ["centred"], "sub"),
        helper.make_node("Div", ["centred", "std"], ["normal"], "div"),
        helper.make_node("Transpose", ["normal"], ["nchw"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "weight", "bias"], ["logits"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("ArgMax", ["logits"], ["best"], "argmax", axis=1, keepdims=0),
        helper.make_node("Cast", ["best"], ["ids"], "to_uint8", to=TensorProto.UINT8),
        helper.make_node("Abs", ["logits"], ["size"], "abs"),
        helper.make_node("LessOrEqual", ["size", "largest"], ["fine"], "check"),
        helper.make_node("Cast", ["fine"], ["fine_float"], "fine_cast", to=TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["fine_float", "class_axis"], ["all_fine"], "all", keepdims=0),
        helper.make_node("Cast", ["all_fine"], ["valid"], "valid_cast", to=TensorProto.BOOL),
        helper.make_node("Where", ["valid", "ids", "no_answer"], ["labels"], "where"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*size, 3])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, list(size))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {SPEC_KEY: spec.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model


def conv_parameters(scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    weight = generator.normal(size=(CLASSES, 3, 3, 3)).astype(np.float32)
    return weight * np.float32(scale), generator.normal(size=CLASSES).astype(np.float32)


def _door(
    *, layout: str = "rgb", batch: int = 1, confidence: bool = False, scale: int = 64, **changes: object
) -> bytes:
    """A sealed file of a camera of 32x24 whose answers are seen at once: labels are Y (or the first channel) // scale,
    confidence is Y itself; with a crop of it."""
    yuv = {"yuv_matrix": "bt709", "yuv_range": "limited"} if layout in ("nv12", "uyvy") else {}
    crop = changes.pop("crop", None)
    _, _, width, height = crop or (0, 0, WIDTH, HEIGHT)
    camera = CameraSpec(height_px=HEIGHT, width_px=WIDTH, layout=layout, crop=crop, **yuv)
    changes["confidence"] = {"temperature": 1.0} if confidence else None
    spec = _spec(camera=camera, batch=batch, height_px=height, width_px=width, **changes)
    left, top = (crop or (0, 0))[:2]
    channel = {"rgb": [(3, 0, 1)], "bgr": [(3, 0, 1)], "uyvy": [(3, 1, 2)], "nv12": []}[layout]
    cuts = np.array([(1, top, top + height), (2, left, left + width), *channel], np.int64).T
    nodes = [
        helper.make_node("Slice", ["image", "starts", "ends", "axes"], ["cut"]),
        helper.make_node("Reshape", ["cut", "shape"], ["confidence"]),
        # in int32: ONNX Runtime 1.20 has no division of uint8
        helper.make_node("Cast", ["confidence"], ["seen"], to=TensorProto.INT32),
        helper.make_node("Div", ["seen", "scale"], ["divided"]),
        helper.make_node("Cast", ["divided"], ["labels"], to=TensorProto.UINT8),
    ]
    constants = {"axes": cuts[0], "starts": cuts[1], "ends": cuts[2]}
    constants |= {"shape": np.array([batch, height, width], np.int64), "scale": np.int32(scale)}
    outputs = ["labels", "confidence"] if confidence else ["labels"]
    graph = helper.make_graph(
        nodes,
        "door",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, *spec.frame_shape])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, [batch, height, width]) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    metadata = {SPEC_KEY: spec.to_json()}
    if spec.golden is not None:
        frames = golden_frames(spec.frame_shape)
        seen = [first_plane(frame)[top : top + height, left : left + width] for frame in frames]
        metadata[GOLDEN_KEY] = pack_golden(frames, [plane // 64 for plane in seen])
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return seal(model.SerializeToString())


def first_plane(frame: np.ndarray) -> np.ndarray:
    """Y of nv12 [36, 32] and uyvy [24, 32, 2], the first channel of others: uint8 [24, 32]."""
    if frame.ndim == 2:
        return frame[:HEIGHT]
    return frame[..., 1 if frame.shape[2] == 2 else 0]


def golden_frames(shape: tuple[int, ...]) -> list[np.ndarray]:
    generator = np.random.default_rng(11)
    return [generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]


@pytest.fixture(scope="session")
def make_door() -> Callable[..., bytes]:
    """A sealed camera file; `layout`, `batch`, `confidence`, `crop`, other keywords change its spec. See `_door`.

    With `golden` in the spec it carries two golden frames with labels for a `scale` of 64: with another it is broken.
    """
    return _door


@pytest.fixture
def open_door(tmp_path: Path) -> Callable[..., Segmenter]:
    """A Segmenter of such a file on the CPU."""

    def make(*, self_test: bool = True, **changes: object) -> Segmenter:
        (tmp_path / "door.onnx").write_bytes(_door(**changes))
        return Segmenter(tmp_path / "door.onnx", "cpu", options=EngineOptions(threads=1), self_test=self_test)

    return make


@pytest.fixture(scope="session")
def golden_model_bytes() -> bytes:
    """A sealed file of uint8 RGB 32x24 that carries two golden frames."""
    return _door(golden={"frames": 2, "source": "noise", "agreement": {"cpu": 1.0, "*": 0.99}})


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., ModelSpec]:
    """A valid spec, fields changed by keyword."""
    return _spec


@pytest.fixture(scope="session")
def make_proto() -> MakeProto:
    """A fresh unsealed tiny model; `scale` multiplies its weights, other keywords change its spec and its shape."""
    return _proto


@pytest.fixture(scope="session")
def tiny_model_bytes() -> bytes:
    """The tiny model, sealed."""
    return seal(_proto().SerializeToString())


@pytest.fixture
def tiny_model_path(tmp_path: Path, tiny_model_bytes: bytes) -> Path:
    """The tiny model in a file."""
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model_bytes)
    return path


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory, tiny_model_bytes: bytes) -> Segmenter:
    """A Segmenter of the tiny model on the CPU."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(tiny_model_bytes)
    return Segmenter(path, "cpu", options=EngineOptions(threads=1))


@pytest.fixture(scope="session")
def force_seal() -> Callable[[bytes], bytes]:
    """Seals any bytes, malformed ones too, as someone hostile would; written from the seal's description."""

    def append(data: bytes) -> bytes:
        entry = b"\x0a" + bytes([len(SEAL_KEY)]) + SEAL_KEY.encode() + b"\x12\x40"
        opened = data + b"\x72" + bytes([len(entry) + 64]) + entry
        return opened + hashlib.sha256(opened + b"0" * 64).hexdigest().encode()

    return append


@pytest.fixture
def frame() -> np.ndarray:
    """A random frame of the tiny model's size, uint8 RGB [24, 32, 3]."""
    return np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def reference_labels() -> Callable[[np.ndarray], np.ndarray]:
    """The tiny model in numpy and float64: uint8 [24, 32, 3] -> labels [24, 32]; no pixel may be near a tie."""

    def compute(image: np.ndarray) -> np.ndarray:
        spec = _spec()
        normal = (image / 255 - np.array(spec.mean)) / np.array(spec.std)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(normal, ((1, 1), (1, 1), (0, 0))), (3, 3), (0, 1))
        weight, bias = conv_parameters()
        logits = np.einsum("yxcij,kcij->yxk", windows, weight.astype(np.float64)) + bias
        ordered = np.sort(logits, axis=-1)
        assert np.min(ordered[..., -1] - ordered[..., -2]) > 1e-4, "choose another frame: float32 may decide otherwise"
        return logits.argmax(-1).astype(np.uint8)

    return compute
