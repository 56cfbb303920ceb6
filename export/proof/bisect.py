"""Which stage is the first to differ, and inside the network which layer: for a file that failed its proof. No torch.

The stages are held against the trained network. Inside the network the values of the file are held, name by name and in
the order of computation, against those of a fresh fp32 graph of the same run: the first that is further off than its
precision explains is where the fault sits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from export.proof.candidate import as_batch, groups
from export.proof.stage_error import StageError
from export.proof.stages import IMAGE
from runtime.engine.providers import PROVIDERS
from runtime.engine.session import new_session, session_options
from runtime.errors import ModelFileError
from runtime.options import EngineOptions

# Relative to the value's own size (root of the mean square), over the frames looked at. fp32 differs in the order of
# sums; fp16 by 2^-11 a layer, int8 by 2^-8 of the range a layer, both adding up over the layers.
EXPLAINED = {"fp32": 1e-3, "fp16": 0.03, "int8": 0.5}

_VALUES_AT_A_TIME = 16
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A value inside the network that differs.

    Attributes:
        value: its name in the file.
        operator: of the node that gives it, such as "Conv".
        node: the node's name.
        error: root mean square of the difference over that of the sound value; NaN where one is not finite.
        explained: what the precision may make of it.
        compared: how many values of that name are in both graphs.
    """

    value: str
    operator: str
    node: str
    error: float
    explained: float
    compared: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a file leaves the trained network.

    Attributes:
        stage: the first that differs: "colour", "resized", "normalised", "logits", "labels" or "confidence"; None where
            none does.
        layer: the first inside the network, where the stage is "logits"; None where the file and a fresh export agree.
    """

    stage: str | None
    layer: Layer | None

    def sentence(self) -> str:
        """The finding, in words."""
        if self.stage is None:
            return "no stage differs"
        if self.stage == "labels":
            return "the first stage that differs is labels: the logits agree, what makes labels of them does not"
        if self.stage == "confidence":
            return "the first stage that differs is confidence: logits and labels agree, what makes it of them does not"
        if self.stage != "logits":
            return f"the first stage that differs is {self.stage}, before the network"
        if self.layer is None:
            return "the first stage that differs is logits, and a fresh export does the same: look at how it is traced"
        layer = self.layer
        return (
            f"the first layer that differs is {layer.operator} '{layer.node}' (value {layer.value}): off by "
            f"{layer.error:.2g} of its size, {layer.explained:g} is explained by the precision"
        )


def locate(
    stages: Sequence[StageError],
    suspect: onnx.ModelProto,
    sound: onnx.ModelProto,
    images: Sequence[NDArray[np.uint8]],
    precision: str,
    *,
    labels_agree: bool,
    confidence_agrees: bool = True,
) -> Difference:
    """Names the first stage, and the first layer, that differ.

    Args:
        stages: of the file, from `StageErrors.result`.
        suspect: the file.
        sound: a fresh fp32 graph of the same run and settings.
        images: uint8 [spec.frame_shape], a few that show the difference; up to the file's batch of them are used.
        precision: of the file.
        labels_agree: whether the gates of the labels were met.
        confidence_agrees: whether those of the confidence were; True where the file has none.
    """
    off = next((stage.name for stage in stages if not stage.within), None)
    layer = first_layer(suspect, sound, images, precision) if off in (None, "logits") else None
    if off is None and layer is not None:
        off = "logits"  # too little for the logits' tolerance, but not explained
    if off is None and not (labels_agree and confidence_agrees):
        off = "confidence" if labels_agree else "labels"
    # "resized, Pillow" is the stage "resized" held against another picture
    return Difference(stage=off.partition(",")[0] if off else None, layer=layer)


def first_layer(
    suspect: onnx.ModelProto, sound: onnx.ModelProto, images: Sequence[NDArray[np.uint8]], precision: str
) -> Layer | None:
    """The first value up to the logits, in the file's order, that differs by more than the precision explains.

    Raises:
        ModelFileError: the two graphs have no value of the network in common, or other inputs.
    """
    # ONNX wants nodes in the order of computation
    makers = {output: node for node in suspect.graph.node for output in node.output}
    here, there = _float_values(suspect), _float_values(sound)
    common = [name for name in makers if name in here and name in there]
    if "logits" in common:  # what is made of them is no layer of the network, and a temperature may differ there
        common = common[: common.index("logits") + 1]
    else:
        raise ModelFileError(
            f"expected a graph with the value 'logits' and the layers of the run, got {len(common)} values in common; "
            "export the run again with this version and compare that file"
        )
    size = _batch_of(suspect)
    batch = as_batch(list(images)[:size], size)
    for name, found, expected in _pairs(suspect, sound, common, batch):
        error = relative_error(found, expected)
        if not error <= EXPLAINED[precision]:
            node = makers[name]
            return Layer(
                value=name,
                operator=node.op_type,
                node=node.name,
                error=error,
                explained=EXPLAINED[precision],
                compared=len(common),
            )
    return None


def relative_error(found: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Root mean square of the difference over that of the expected values; NaN where a value is not finite."""
    if found.shape != expected.shape:
        return float("nan")
    wanted = expected.astype(np.float64)
    size = float(np.sqrt(np.mean(np.square(wanted))))
    off = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - wanted))))
    if size == 0:
        return 0.0 if off == 0 else float("inf")
    return off / size


def _pairs(
    suspect: onnx.ModelProto, sound: onnx.ModelProto, names: Sequence[str], batch: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.floating], NDArray[np.floating]]]:
    """Each named value of both graphs; a few at a time, since all of a large network's would not fit into memory."""
    for some in groups(names, _VALUES_AT_A_TIME):
        yield from zip(some, _values(suspect, some, batch), _values(sound, some, batch), strict=True)


def _values(model: onnx.ModelProto, names: Sequence[str], batch: NDArray[np.uint8]) -> list[NDArray[np.floating]]:
    """The named float values of a graph, computed as it is written: no node fused with another."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    types, quantised = _float_values(model), _after_quantisation(model)
    names = [quantised.get(name, name) for name in names]
    for name in names:
        copy.graph.output.append(onnx.helper.make_tensor_value_info(name, types[name], None))
    options = session_options(EngineOptions(), only_named_provider=False)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = new_session(copy.SerializeToString(), options, PROVIDERS["cpu"])
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    return list(session.run(list(names), {IMAGE: batch.reshape(shape)}))


def _after_quantisation(model: onnx.ModelProto) -> dict[str, str]:
    """The value that the next layers read in place of one that is quantised: name -> name.

    An activation that the quantiser folded away lives in the clipping of the quantisation, so the value before it is
    another than the one of that name in float.
    """
    packed = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    unpacked = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {name: unpacked[code] for name, code in packed.items() if code in unpacked}


def _float_values(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of the float values that nodes give, by name."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    made = {output for node in graph.node for output in node.output}
    return {name: kind for name, kind in known.items() if name in made and kind in _FLOATS}


def _batch_of(model: onnx.ModelProto) -> int:
    return int(model.graph.input[0].type.tensor_type.shape.dim[0].dim_value)
