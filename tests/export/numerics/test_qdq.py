from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.numerics import qdq
from export.numerics.int8 import Int8Settings, prepare, to_int8
from export.numerics.label_agreement import agreement, labels_of
from export.numerics.network import find_network
from export.numerics.network_model import cut_network, with_shapes
from export.numerics.qdq import insert_qdq, require_scales
from runtime.errors import ModelFileError


@pytest.fixture(scope="module")
def part(small_graph: onnx.ModelProto) -> onnx.ModelProto:
    return cut_network(prepare(small_graph, "cpu"))


@pytest.fixture(scope="module")
def values(small_graph: onnx.ModelProto) -> list[str]:
    return list(find_network(prepare(small_graph, "cpu")).floats)


def test_insert_qdq_scales_follow_from_the_bounds(part: onnx.ModelProto, values: list[str]) -> None:
    bounds = dict.fromkeys(values, (0.0, 2.55)) | {"normalised": (-1.0, 1.55)}
    tensors = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in insert_qdq(part, bounds, set(), signed=False, reduce_range=False).graph.initializer
    }
    assert tensors["normalised_scale"] == pytest.approx(0.01)  # 2.55 / 255
    assert tensors["normalised_zero_point"] == 100  # 1.0 / 0.01
    weight, scale = (tensors[f"network.conv1.weight_{part}"] for part in ("quantized", "scale"))
    original = next(t for t in part.graph.initializer if t.name == "network.conv1.weight")
    expected = np.abs(numpy_helper.to_array(original)).max(axis=(1, 2, 3)) / 127  # one a channel
    np.testing.assert_allclose(scale, expected, rtol=1e-6)
    assert weight.dtype == np.int8


@pytest.mark.parametrize("ends", [(np.nan, 1.0), (0.0, np.inf), (-np.inf, 0.0)])
def test_insert_qdq_bound_that_is_not_finite_is_refused(
    part: onnx.ModelProto, values: list[str], ends: tuple[float, float]
) -> None:
    bounds = dict.fromkeys(values, (0.0, 1.0)) | {"logits": ends}
    with pytest.raises(ModelFileError, match=f"finite bounds of value 'logits', got {ends[0]} to {ends[1]}"):
        insert_qdq(part, bounds, set(), signed=False, reduce_range=False)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -0.5])
def test_require_scales_refuses_what_is_no_scale(part: onnx.ModelProto, values: list[str], value: float) -> None:
    bounds = dict.fromkeys(values, (0.0, 1.0))
    quantised = insert_qdq(part, bounds, set(), signed=False, reduce_range=False)
    require_scales(quantised)
    scales = next(t for t in quantised.graph.initializer if t.name == "network.conv4.weight_scale")
    spoilt = numpy_helper.to_array(scales).copy()
    spoilt[3] = value
    scales.CopyFrom(numpy_helper.from_array(spoilt, scales.name))
    with pytest.raises(ModelFileError, match=rf"got {value} for 'network\.conv4\.weight_quantized'"):
        require_scales(quantised)


def resizing() -> onnx.ModelProto:
    """normalised -> Conv -> linear, nearest, cubic Resize, MaxPool -> Conv -> logits, all [1,3,*,*]."""
    nodes = [helper.make_node("Conv", ["normalised", "w1"], ["first"], "first")]
    for mode, source in (("linear", "first"), ("nearest", "linear"), ("cubic", "nearest")):
        nodes.append(helper.make_node("Resize", [source, "", "twice"], [mode], mode, mode=mode))
    nodes.append(helper.make_node("MaxPool", ["cubic"], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("Conv", ["pooled", "w2"], ["logits"], "last"))
    tensors = {name: np.eye(3, dtype=np.float32)[..., None, None] for name in ("w1", "w2")}
    tensors["twice"] = np.array([1, 1, 2, 2], np.float32)
    sizes = (("normalised", 4), ("logits", 16))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, size, size]) for name, size in sizes]
    graph = helper.make_graph(
        nodes, "network", ends[:1], ends[1:], [numpy_helper.from_array(v, n) for n, v in tensors.items()]
    )
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def test_insert_qdq_each_resize_that_computes_has_a_scale_of_its_own() -> None:
    names = ("normalised", "first", "linear", "nearest", "cubic", "pooled")
    bounds = dict.fromkeys((*names, "logits"), (-1.0, 1.5))
    quantised = insert_qdq(resizing(), bounds, set(), signed=False, reduce_range=False)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantised.graph.initializer}
    found: dict[str, tuple[np.float32, int]] = {}
    for node in quantised.graph.node:
        if node.op_type == "QuantizeLinear":
            found[node.input[0]] = tensors[node.input[1]], int(tensors[node.input[2]])
            readers = [each for each in quantised.graph.node if node.output[0] in each.input]
            assert [list(each.input[1:]) for each in readers] == [list(node.input[1:])] * len(readers)
    scale, zero = np.float32(2.5 / 255), 102
    bits = {name: int(found[name][0].view(np.int32) - scale.view(np.int32)) for name in names}
    assert bits == {"normalised": 0, "first": 0, "linear": 1, "nearest": 1, "cubic": 2, "pooled": 2}
    assert {point for _, point in found.values()} == {zero}


class Enlarging(nn.Module):
    """A decoder that enlarges twice: what is joined with a skip, and what is read by a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, 2, padding=1), nn.Conv2d(8, 8, 3, 2, padding=1)
        self.conv3, self.head = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 5, 3, padding=1)

    def forward(self, normalised: Tensor) -> Tensor:
        skip = self.conv1(normalised).relu()
        deep = nn.functional.interpolate(self.conv2(skip).relu(), scale_factor=2, mode="bilinear")
        wide = self.conv3(torch.cat([skip, deep], dim=1)).relu()
        return self.head(nn.functional.interpolate(wide, scale_factor=2, mode="bilinear"))


def kinds_that_run(model: onnx.ModelProto, path: Path) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(path), 4
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_insert_qdq_resizes_set_apart_run_as_before(
    trace: Callable[..., onnx.ModelProto],
    images: list[NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against the same file with the scales that the quantiser shares; in ONNX Runtime 1.20: tests/conformance."""
    torch.manual_seed(0)
    frames = [image[0] for image in images]
    model, names = trace(Enlarging(), 32, 48), [str(i) for i in range(len(frames))]
    apart = to_int8(model, frames, names, Int8Settings()).model
    monkeypatch.setattr(qdq, "_set_resizes_apart", lambda _: None)
    shared = to_int8(model, frames, names, Int8Settings()).model
    assert len(apart.graph.initializer) == len(shared.graph.initializer) + 2
    kinds = kinds_that_run(apart, tmp_path / "apart.onnx")
    assert kinds == kinds_that_run(shared, tmp_path / "shared.onnx")
    assert (kinds["QLinearConv"], kinds["QLinearConcat"]) == (4, 1)
    # a byte interpolated to twice the size is a multiple of 1/16: what lies half way is rounded the other way now
    assert agreement(labels_of(apart, frames, 1), labels_of(shared, frames, 1)) > 0.99
