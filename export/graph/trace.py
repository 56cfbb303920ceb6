"""Torch module -> ONNX graph that any ONNX Runtime since 1.20 opens on any provider; spec, golden frames, seal put in.

Opset 18, because ONNX Runtimes before 1.31 have no CUDA kernel for Resize from opset 19 on. IR version 10 at most, one
file, static shapes, the standard domain only. The tracer's notes (stack traces with paths of this machine) are removed.
"""

from collections.abc import Sequence

import onnx
import torch
from onnx import TensorProto, helper

from export.graph.deploy import Deploy
from runtime.errors import ModelFileError
from runtime.golden import GOLDEN_KEY
from runtime.model_file import check_model_bytes
from runtime.seal import seal
from runtime.spec import SPEC_KEY, ModelSpec

OPSET = 18
LARGEST_IR_VERSION = 10
IMAGE = "image"
STAGES = ("colour", "resized", "normalised", "logits")
"""Names of the float values inside the graph that can be read out, in the order of the data's path."""

_LEFTOVERS = frozenset({"BatchNormalization", "Identity", "Shape", "Size", "Constant", "ConstantOfShape", "Range"})


def trace(deploy: Deploy) -> onnx.ModelProto:
    """Exports the module for its one size and batch: `image` uint8 -> `labels` and perhaps `confidence`, uint8 [N,H,W].

    The values inside are named as in `STAGES`, those of them that the module has.

    Raises:
        ModelFileError: the exporter gave something that the contract does not allow.
    """
    image = deploy.trace_input()
    with torch.no_grad():
        names = list(deploy(image))
    program = torch.onnx.export(
        deploy,
        (image,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[IMAGE],
        output_names=names,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ModelFileError("torch.onnx.export returned no program; check the versions with: segtool doctor")
    model = program.model_proto
    model.ir_version = min(model.ir_version, LARGEST_IR_VERSION)
    _strip_notes(model)
    _hide_stages(model)
    _exclude_outside(model)
    onnx.checker.check_model(model, full_check=True)
    require_tidy(model)
    return model


def stage_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """Those of `STAGES` that the graph has, in their order."""
    made = {output for node in model.graph.node for output in node.output}
    return tuple(name for name in STAGES if name in made)


def with_stages(model: onnx.ModelProto, names: Sequence[str]) -> bytes:
    """The same graph with some of its inner values as further outputs, for measuring them; not sealed, never published.

    Args:
        model: a graph of `trace`, or one made of it in another precision.
        names: of `STAGES`; float32 values.

    Raises:
        ModelFileError: the graph has no value of such a name.
    """
    known = stage_names(model)
    for name in names:
        if name not in known:
            raise ModelFileError(
                f"expected a stage that the exported graph has ({', '.join(known)}), got {name!r}; ask for one of them"
            )
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    infos = {value.name: value for value in model.graph.value_info}
    for name in names:
        plain = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        copy.graph.output.append(infos.get(name, plain))
    return copy.SerializeToString()


def finish(model: onnx.ModelProto, spec: ModelSpec, golden: str | None = None) -> bytes:
    """Puts spec and golden frames into the metadata, seals the file, and checks the bytes as the runtime will.

    Args:
        model: a graph of `trace`, or one made of it in another precision.
        spec: what the file says of itself.
        golden: the self-test's frames, as runtime/golden.py packs them; None for none.

    Returns:
        The finished file.

    Raises:
        ModelFileError: the bytes do not pass the runtime's own checks: weights that are not finite, another domain.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    entries = {SPEC_KEY: spec.to_json()}
    if golden is not None:
        entries[GOLDEN_KEY] = golden
    helper.set_model_props(copy, entries)
    data = seal(copy.SerializeToString())
    read_back, _ = check_model_bytes(data, "the exported model")
    if read_back != spec:
        raise ModelFileError("the exported model: its spec reads back differently from what was written; report this")
    return data


def require_tidy(model: onnx.ModelProto) -> None:
    """Refuses a graph with work left in it that the exporter should have done: each costs time in every frame.

    Raises:
        ModelFileError: a batch norm not folded, an Identity, a cast of a cast, or arithmetic on shapes or constants.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*typed.value_info, *typed.output)}
    for node in model.graph.node:
        problem = None
        before = made_by.get(node.input[0]) if node.input else None
        if node.op_type in _LEFTOVERS:
            problem = f"a {node.op_type}"
        elif node.op_type == "Cast" and before is not None and before.op_type == "Cast":
            problem = f"a Cast of the Cast '{before.name}'"
        elif all(name in constants for name in node.input if name):
            problem = f"a {node.op_type} of constants"
        elif types.get(node.output[0]) == TensorProto.INT64 and node.op_type != "ArgMax":
            problem = f"arithmetic on shapes ({node.op_type})"
        if problem is not None:
            raise ModelFileError(
                f"expected a graph without leftovers, got {problem} in node '{node.name}'; change the network so that "
                "sizes are plain numbers and each batch norm follows a convolution"
            )


def _hide_stages(model: onnx.ModelProto) -> None:
    """Takes the stages off the outputs; their types stay known."""
    stages = [output for output in model.graph.output if output.name in STAGES]
    for stage in stages:
        model.graph.output.remove(stage)
        model.graph.value_info.append(stage)


def _exclude_outside(model: onnx.ModelProto) -> None:
    """Lets an antialiased Resize normalise its weights at the border, as Pillow does; torch's exporter can't say so."""
    for node in model.graph.node:
        names = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Resize" and "antialias" in names and names["antialias"].i == 1:
            if "exclude_outside" in names:
                node.attribute.remove(names["exclude_outside"])
            node.attribute.append(helper.make_attribute("exclude_outside", 1))


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
