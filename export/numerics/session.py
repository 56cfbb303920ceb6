"""ONNX Runtime sessions on the CPU that compute a graph node by node, as it is written."""

import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import TensorProto, helper

from runtime.engine.providers import PROVIDERS
from runtime.engine.session import new_session, session_options
from runtime.options import EngineOptions


def open_unoptimised(model: onnx.ModelProto) -> tuple[Any, onnx.ModelProto]:
    """Opens a graph with every optimisation of ONNX Runtime off.

    Returns:
        The session, and the graph that it really runs: some changes ONNX Runtime makes whatever it is told.
    """
    options = session_options(EngineOptions(), only_named_provider=False)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory(prefix="segtool-graph-") as folder:
        path = Path(folder) / "run.onnx"
        options.optimized_model_filepath = str(path)
        session = new_session(model.SerializeToString(), options, PROVIDERS["cpu"])
        return session, onnx.load(path)


def with_output(model: onnx.ModelProto, value: str) -> onnx.ModelProto:
    """A copy of the graph that also gives this float32 value."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    if value not in {output.name for output in model.graph.output}:
        copied.graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, None))
    return copied
