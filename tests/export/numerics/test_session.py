import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.session import open_unoptimised, with_output


def test_open_unoptimised_runs_the_graph_as_it_is_written(small_graph: onnx.ModelProto) -> None:
    _, run = open_unoptimised(small_graph)
    assert sorted(node.op_type for node in run.graph.node) == sorted(node.op_type for node in small_graph.graph.node)


def test_with_output_gives_a_value_once(small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]) -> None:
    model = with_output(with_output(small_graph, "logits"), "logits")
    assert [value.name for value in model.graph.output] == ["labels", "logits"]
    assert len(small_graph.graph.output) == 1
    session, _ = open_unoptimised(model)
    labels, logits = session.run(None, {"image": images[0]})
    np.testing.assert_array_equal(labels, logits.argmax(1))
