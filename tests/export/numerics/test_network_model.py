import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.numerics.network_model import cut_network, replace_network, shape_of
from runtime.errors import ModelFileError


def run(model: onnx.ModelProto, names: list[str], inputs: dict[str, NDArray]) -> list[NDArray]:
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, inputs)


def test_cut_network_gives_the_logits_of_the_whole(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    normalised, expected = run(small_graph, ["normalised", "logits"], {"image": images[0]})
    part = cut_network(small_graph)
    (logits,) = run(part, ["logits"], {"normalised": normalised})
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert [value.name for value in part.graph.input] == ["normalised"]
    assert {node.op_type for node in part.graph.node}.isdisjoint({"ArgMax", "Where", "Sub"})
    assert shape_of(part, "normalised") == (1, 3, 32, 48)
    assert shape_of(part, "logits") == (1, 5, 32, 48)


def test_cut_network_value_without_a_shape_is_named(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(ModelFileError, match="value 'nowhere'"):
        shape_of(cut_network(small_graph), "nowhere")


def test_replace_network_by_itself_changes_nothing(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    again = replace_network(small_graph, cut_network(small_graph))
    onnx.checker.check_model(again, full_check=True)
    assert len(again.graph.node) == len(small_graph.graph.node)
    assert {tensor.name for tensor in again.graph.initializer} == {t.name for t in small_graph.graph.initializer}
    for image in images[:2]:
        expected, found = (run(model, ["labels"], {"image": image})[0] for model in (small_graph, again))
        assert np.array_equal(found, expected)


def test_replace_network_with_a_name_of_the_ends_is_refused(small_graph: onnx.ModelProto) -> None:
    part = cut_network(small_graph)
    taken = next(node for node in small_graph.graph.node if node.op_type == "ArgMax").output[0]
    first = part.graph.node[0].output[0]
    for node in part.graph.node:
        for names in (node.input, node.output):
            for index, each in enumerate(names):
                if each == first:
                    names[index] = taken
    with pytest.raises(ModelFileError, match=f"one value named '{taken}', got two"):
        replace_network(small_graph, part)
