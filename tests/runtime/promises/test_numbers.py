"""R6: a number that is not finite never becomes a class."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes

NOT_FINITE = [np.nan, np.inf, -np.inf]
PRECISIONS = ["fp32", "fp16", "int8"]
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
LARGEST = np.float32(3e38)


def floats_of(graph: onnx.ModelProto) -> list[str]:
    return [tensor.name for tensor in graph.graph.initializer if tensor.data_type in FLOATS]


def with_value(
    graph: onnx.ModelProto, name: str, value: float, *, everywhere: bool, raw: bool = True
) -> onnx.ModelProto:
    """A copy in which one float of an initialiser, or all, is `value`; kept as raw bytes or as a list of numbers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    (tensor,) = (tensor for tensor in copy.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[slice(None) if everywhere else values.size // 2] = value
    if raw:
        tensor.CopyFrom(numpy_helper.from_array(values, name))
    else:
        tensor.CopyFrom(helper.make_tensor(name, tensor.data_type, values.shape, values.ravel()))
    return copy


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_not_finite_in_any_initialiser_or_scale_is_refused_at_load(trained, precision: str, value: float) -> None:
    file = trained[precision]
    names = floats_of(file.graph)
    assert len(names) > 20
    assert precision != "int8" or sum(name.endswith("_scale") for name in names) > 10
    for index, name in enumerate(names):
        for everywhere in (False, True):
            planted = with_value(file.graph, name, value, everywhere=everywhere, raw=index % 3 > 0)
            with pytest.raises(ModelFileError, match=f"tensor '{name}' holds NaN or infinity"):
                check_model_bytes(file.sealed(planted), "file")


def behind_logits(graph: onnx.ModelProto, factors: list[np.ndarray]) -> onnx.ModelProto:
    """A copy whose logits are multiplied, step by step, before anything else sees them. All factors are finite."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    (place,) = (index for index, node in enumerate(copy.graph.node) if node.output[0] == "logits")
    copy.graph.node[place].output[0] = "logits.0"
    for step, factor in enumerate(factors):
        last = step == len(factors) - 1
        copy.graph.initializer.append(numpy_helper.from_array(factor, f"factor.{step}"))
        after = "logits" if last else f"logits.{step + 1}"
        node = helper.make_node("Mul", [f"logits.{step}", f"factor.{step}"], [after], f"planted.{step}")
        copy.graph.node.insert(place + 1 + step, node)
    return copy


def plane_factors(kind: str, channel: int, classes: int) -> list[np.ndarray]:
    """Makes one plane of logits infinite, or NaN; leaves the others."""
    large, zero = np.ones((2, 1, classes, 1, 1), np.float32)
    large[0, channel], zero[0, channel] = LARGEST, 0
    return [large, large] + ([zero] if kind == "nan" else [])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["inf", "nan"])
def test_not_finite_logit_plane_gives_255_everywhere_and_not_valid(
    trained, opened, random_frame: Callable, precision: str, kind: str
) -> None:
    file = trained[precision]
    classes = len(file.spec.classes)
    frame = random_frame(file.spec)
    for channel in range(classes):
        planted = behind_logits(file.graph, plane_factors(kind, channel, classes))
        with opened(file.sealed(planted)) as segmenter:
            result = segmenter.segment(frame)
            assert not result.valid
            assert segmenter.health().invalid == 1
            # a logit that is exactly 0 stays one where the factors overflow to infinity: none is in fp32 and fp16
            share = float(np.mean(result.labels == 255))
            assert share == 1.0 if precision != "int8" else share > 0.9, (channel, share)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_planting_nothing_leaves_a_valid_map(trained, opened, random_frame: Callable, precision: str) -> None:
    file = trained[precision]
    frame = random_frame(file.spec)
    ones = np.ones((1, len(file.spec.classes), 1, 1), np.float32)
    with opened(file.sealed()) as segmenter, opened(file.sealed(behind_logits(file.graph, [ones]))) as planted:
        assert segmenter.segment(frame).valid
        np.testing.assert_array_equal(planted.segment(frame).labels, segmenter.segment(frame).labels)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_that_overflow_never_give_a_valid_map_of_other_labels(
    trained, opened, random_frame: Callable, precision: str
) -> None:
    """Finite in the file, infinite on the way: every kernel of the network in turn."""
    file = trained[precision]
    frame = random_frame(file.spec)
    largest = 65504.0 if precision == "fp16" else LARGEST
    kernels = [tensor.name for tensor in file.graph.graph.initializer if len(tensor.dims) == 4]
    kernels = [name for name in kernels if name.startswith("network.")]
    assert len(kernels) > 8
    for name in kernels:
        with opened(file.sealed(with_value(file.graph, name, largest, everywhere=True))) as segmenter:
            result = segmenter.segment(frame)
            assert not result.valid, name
