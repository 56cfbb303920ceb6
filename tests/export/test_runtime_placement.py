"""What the runtime says of where an exported graph runs, against ONNX Runtime's profile and onnx's types."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from export.graph.deploy import Deploy
from export.graph.trace import trace
from export.numerics.half import to_half
from export.settings import ExportSettings
from runtime.engine.placement import placement_of
from runtime.engine.precision import half_nodes
from runtime.engine.session import session_options
from runtime.onnx_file import read_structure
from runtime.options import EngineOptions
from trainer.networks.catalogue import build_network
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD
from trainer.networks.unet import UNetConfig

HEIGHT_PX, WIDTH_PX = 32, 48
CONFIG = UNetConfig(width=4, depth=1, up="bilinear", attention=True)


@pytest.fixture(scope="module")
def traced() -> onnx.ModelProto:
    torch.manual_seed(0)
    network = build_network(CONFIG, 7).eval()
    return trace(Deploy(network, ExportSettings(), HEIGHT_PX, WIDTH_PX, mean=IMAGENET_MEAN, std=IMAGENET_STD))


def profiled(data: bytes, folder: Path) -> tuple[onnxruntime.InferenceSession, Counter[tuple[str, str]]]:
    """A session, and how many nodes of each provider and operator one run of it ran."""
    options = session_options(EngineOptions(threads=1), only_named_provider=False)
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    # what a provider fuses and reorders after it got its nodes would be counted otherwise
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    session.run(None, {"image": np.zeros((1, HEIGHT_PX, WIDTH_PX, 3), np.uint8)})
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = [event["args"] for event in events if event["name"].endswith("_kernel_time")]
    return session, Counter((event["provider"], event["op_name"]) for event in ran)


@pytest.mark.skipif(
    not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"),
    reason="ONNX Runtime tells which provider runs which node from 1.31 on",
)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_placement_of_an_export_agrees_with_the_profile_of_a_run(
    traced: onnx.ModelProto, tmp_path: Path, precision: str
) -> None:
    model = to_half(traced) if precision == "fp16" else traced
    data = model.SerializeToString()
    session, ran = profiled(data, tmp_path)
    placement = placement_of(session, "cpu", read_structure(data, "model"), "0" * 64, "off")
    given = [node.op_type for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()]
    # the CPU has few kernels in half precision: ONNX Runtime puts casts around the others after it gave out the nodes,
    # and takes casts out that have become idle
    casts_ran, casts_given = ran["CPUExecutionProvider", "Cast"], given.count("Cast")
    assert (casts_ran == casts_given) == (precision == "fp32")
    assert {provider for provider, _ in ran} == {"CPUExecutionProvider"}
    assert placement.nodes == {"cpu": ran.total() - casts_ran + casts_given}


def inferred_half(model: onnx.ModelProto) -> int:
    """Nodes, but for casts, that take or give a tensor of float16, by the onnx package's inference of types."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    halves = [
        node
        for node in graph.node
        if any(types[name] == TensorProto.FLOAT16 for name in (*node.input, *node.output) if name)
    ]
    return sum(node.op_type != "Cast" for node in halves)


@pytest.mark.parametrize("kept", [0, 1, 3, 10_000])
def test_half_nodes_of_an_export_are_those_that_onnx_infers(traced: onnx.ModelProto, kept: int) -> None:
    half = to_half(traced)
    weighted = [node.name for node in half.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    model = to_half(traced, keep_float=set(weighted[1 : 1 + kept]))
    expected = inferred_half(model)
    assert expected > 0
    assert half_nodes(read_structure(model.SerializeToString(), "model")) == expected
    assert half_nodes(read_structure(traced.SerializeToString(), "model")) == 0
