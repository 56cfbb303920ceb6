"""R7: a file whose numbers were damaged and that was sealed again does not start; an undamaged one always does."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from runtime.errors import SelfTestError

FAULTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "shuffled": lambda values, random: random.permutation(values.ravel()).reshape(values.shape),
    "zeroed": lambda values, _: np.zeros_like(values),
    "doubled": lambda values, _: values * np.asarray(2, values.dtype),
}


def weights_of(graph: onnx.ModelProto) -> list[str]:
    """The network's own kernels: what is multiplied by features."""
    return [t.name for t in graph.graph.initializer if t.name.startswith("network.") and len(t.dims) == 4]


def damaged(graph: onnx.ModelProto, name: str, fault: str, random: np.random.Generator) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    (tensor,) = (tensor for tensor in copy.graph.initializer if tensor.name == name)
    values = FAULTS[fault](numpy_helper.to_array(tensor), random)
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    return copy


@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_one_damaged_weight_tensor_keeps_the_segmenter_from_starting(
    trained, golden_of, opened, precision: str, count: int
) -> None:
    file, golden = golden_of(trained[precision])
    random = np.random.default_rng(count)
    names = weights_of(file.graph)
    assert len(names) > 8
    missed = []
    for number in range(count):
        name, fault = names[random.integers(len(names))], list(FAULTS)[number % len(FAULTS)]
        data = file.sealed(damaged(file.graph, name, fault, random), golden)
        try:
            opened(data).close()
        except SelfTestError:
            continue
        missed.append((name, fault))
    assert len(missed) <= count / 200, missed


@pytest.mark.parametrize("count", [25, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_undamaged_file_starts_every_time(trained, golden_of, opened, precision: str, count: int) -> None:
    file, golden = golden_of(trained[precision])
    data = file.sealed(golden=golden)
    for _ in range(count):
        with opened(data) as segmenter:
            assert segmenter.health().runs == 2  # the golden ones
