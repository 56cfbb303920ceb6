import json

import onnx
import pytest

from export.numerics.half import to_half
from export.numerics.half_truth import HalfArithmetic, _read, half_arithmetic_on
from runtime.errors import ProviderUnavailable, UsageError


def event(kind: str, element: str, provider: str = "CUDAExecutionProvider", name: str = "n_kernel_time") -> dict:
    types = [{element: [1, 8, 4, 4]}]
    arguments = {"op_name": kind, "provider": provider, "input_type_shape": types, "output_type_shape": types}
    return {"cat": "Node", "name": name, "args": arguments}


def test_half_arithmetic_on_cpu_is_none_though_the_file_asks_for_it(small_graph: onnx.ModelProto) -> None:
    # what ONNX Runtime 1.20 to 1.31 do on x86; should a build compute in half one day, this test is to learn that
    found = half_arithmetic_on(to_half(small_graph).SerializeToString())
    assert found.asked == 10  # seven convolutions, the transposed one, the head and the resize
    assert found.in_half == {}
    assert not found.any_half
    assert found.in_float["Conv"] == 8
    assert found.sentence().startswith("cpu: the file asks 10 nodes to compute in half precision, 0 did")
    assert json.loads(json.dumps(found.report()))["half_arithmetic"] is False


def test_half_arithmetic_on_float_file_asks_for_none(small_graph: onnx.ModelProto) -> None:
    assert half_arithmetic_on(small_graph.SerializeToString(), "cpu").asked == 0


def test_read_counts_nodes_that_take_and_give_half() -> None:
    events = [
        event("Conv", "float16"),
        event("FusedConv", "float16"),
        event("Conv", "float"),
        event("Relu", "float16"),  # picks values: no arithmetic
        event("Cast", "float16"),
        event("Conv", "float16", name="n_fence_before"),
        {"cat": "Session", "name": "model_run", "args": {}},
    ]
    found = _read("cuda", 3, events)
    assert found == HalfArithmetic(
        provider="cuda", asked=3, in_half={"Conv": 1, "FusedConv": 1}, in_float={"Conv": 1}, hidden=0
    )
    assert found.any_half


def test_read_node_that_only_reads_half_is_not_counted() -> None:
    cast = event("Conv", "float16")
    cast["args"]["output_type_shape"] = [{"float": [1, 8, 4, 4]}]
    assert not _read("cuda", 1, [cast]).any_half


def test_read_compiled_engine_leaves_the_question_open() -> None:
    found = _read("tensorrt", 2, [event("TRTKernel_graph_main_0", "float16", "TensorrtExecutionProvider")])
    assert (found.in_half, found.hidden) == ({}, 1)
    assert found.report()["half_arithmetic"] is None
    assert "1 inside an engine that does not say" in found.sentence()


def test_half_arithmetic_on_unknown_provider_is_refused() -> None:
    with pytest.raises(UsageError, match="got 'gpu'"):
        half_arithmetic_on(b"", "gpu")


def test_half_arithmetic_on_provider_that_is_not_here_is_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(ProviderUnavailable, match="provider 'coreml': expected ONNX Runtime to have it"):
        half_arithmetic_on(small_graph.SerializeToString(), "coreml")
