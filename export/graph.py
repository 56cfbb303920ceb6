"""Torch module -> ONNX bytes that any ONNX Runtime since 1.20 opens on any provider; spec and seal put in.

Opset 18, because ONNX Runtimes before 1.31 have no CUDA kernel for Resize from opset 19 on. IR version 10 at most, one
file, static shapes, the standard domain only. The tracer's notes (stack traces with paths of this machine) are removed.
"""

import onnx
import torch
from onnx import TensorProto, helper

from export.deploy import Deploy, trace_input
from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes
from runtime.seal import seal
from runtime.spec import SPEC_KEY, ModelSpec

OPSET = 18
LARGEST_IR_VERSION = 10
IMAGE, LABELS, LOGITS = "image", "labels", "logits"


def trace(deploy: Deploy, height_px: int, width_px: int) -> onnx.ModelProto:
    """Exports the module for one fixed size: `image` uint8 [1,H,W,3] -> `labels` uint8 [1,H,W].

    Raises:
        ModelFileError: the exporter gave something that the contract does not allow.
    """
    program = torch.onnx.export(
        deploy,
        (trace_input(height_px, width_px),),
        dynamo=True,
        opset_version=OPSET,
        input_names=[IMAGE],
        output_names=[LABELS],
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ModelFileError("torch.onnx.export returned no program; check the versions with: segtool doctor")
    model = program.model_proto
    model.ir_version = min(model.ir_version, LARGEST_IR_VERSION)
    _strip_notes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def finish(model: onnx.ModelProto, spec: ModelSpec) -> bytes:
    """Puts the spec into the metadata, seals the file, and checks the bytes as the runtime will.

    Returns:
        The finished file.

    Raises:
        ModelFileError: the bytes do not pass the runtime's own checks: weights that are not finite, another domain.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    helper.set_model_props(copy, {SPEC_KEY: spec.to_json()})
    data = seal(copy.SerializeToString())
    read_back, _ = check_model_bytes(data, "the exported model")
    if read_back != spec:
        raise ModelFileError("the exported model: its spec reads back differently from what was written; report this")
    return data


def with_logits(model: onnx.ModelProto) -> bytes:
    """The same graph with the logits as a second output, for measuring their error; not sealed, never published.

    Raises:
        ModelFileError: the graph has not exactly one ArgMax to take them from.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    sources = [node.input[0] for node in copy.graph.node if node.op_type == "ArgMax"]
    if len(sources) != 1:
        raise ModelFileError(f"expected one ArgMax in the exported graph, got {len(sources)}; report this")
    copy.graph.node.append(helper.make_node("Cast", [sources[0]], [LOGITS], to=TensorProto.FLOAT))
    copy.graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None))
    return copy.SerializeToString()


def _strip_notes(model: onnx.ModelProto) -> None:
    model.producer_name, model.producer_version, model.doc_string = "segtool", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
