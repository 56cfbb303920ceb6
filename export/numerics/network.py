"""Finds the network in an exported graph: what lies between `normalised` and `logits`, and no way around them.

Only that part is ever computed in fewer bits; both names stay float32 values whatever happens between them. Works on
onnx.ModelProto alone; knows nothing of torch, of files or of any precision but float32.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from runtime.errors import ModelFileError

NORMALISED, LOGITS = "normalised", "logits"


@dataclass(frozen=True, kw_only=True)
class Network:
    """What lies between `normalised` and `logits`.

    Attributes:
        nodes: in graph order; the graph's own, not copies.
        floats: shape of each float32 value: of `normalised`, then of all that the nodes give, in their order.
        constants: initialisers that the nodes read, of any type, by name.
    """

    nodes: tuple[NodeProto, ...]
    floats: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, TensorProto]


def find_network(model: onnx.ModelProto) -> Network:
    """Finds the network in a float32 graph with static shapes.

    Raises:
        ModelFileError: the graph has no `normalised` or `logits`, one of them is not float32, or there is a path
            around the two.
    """
    graph = model.graph
    nodes = _between(graph)
    inside = {value for node in nodes for value in node.output}
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    _check_ways(graph, nodes, inside, initializers.keys())
    types = _types(model)
    for value in (NORMALISED, LOGITS):
        if types[value].elem_type != TensorProto.FLOAT:
            raise ModelFileError(
                f"the graph: expected {value!r} to be float32, got ONNX element type {types[value].elem_type}; "
                "start from the float32 graph"
            )
    values = [NORMALISED, *(value for node in nodes for value in node.output)]
    read = {value for node in nodes for value in node.input}
    return Network(
        nodes=tuple(nodes),
        floats={v: _shape(types[v]) for v in values if v in types and types[v].elem_type == TensorProto.FLOAT},
        constants={name: tensor for name, tensor in initializers.items() if name in read},
    )


def require_finite_weights(model: onnx.ModelProto) -> None:
    """Refuses numbers that quantisation would turn into valid-looking ones.

    Raises:
        ModelFileError: a float initialiser, or a tensor in an attribute, holds NaN or infinity.
    """
    attributes = [item for node in model.graph.node for item in node.attribute]
    tensors = [item.t for item in attributes if item.type == onnx.AttributeProto.TENSOR]
    for tensor in (*model.graph.initializer, *tensors):
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
            values = numpy_helper.to_array(tensor)
            if not np.isfinite(values).all():
                bad = values[~np.isfinite(values)].ravel()[0]
                raise ModelFileError(
                    f"the exported graph: expected finite weights, got {bad} in '{tensor.name}'; "
                    "the network may have diverged in training: export an earlier checkpoint"
                )


def _between(graph: onnx.GraphProto) -> list[NodeProto]:
    """The nodes that `logits` follows from and `normalised` does not."""
    made_by = {value: index for index, node in enumerate(graph.node) for value in node.output}
    for value in (NORMALISED, LOGITS):
        if value not in made_by:
            raise ModelFileError(f"the graph: expected a node that gives {value!r}, found none; export the run again")

    def ancestors(value: str) -> set[int]:
        seen: set[int] = set()
        left = [value]
        while left:
            index = made_by.get(left.pop())
            if index is not None and index not in seen:
                seen.add(index)
                left.extend(graph.node[index].input)
        return seen

    return [graph.node[index] for index in sorted(ancestors(LOGITS) - ancestors(NORMALISED))]


def _check_ways(graph: onnx.GraphProto, nodes: Sequence[NodeProto], inside: Set[str], constants: Set[str]) -> None:
    """One way leads into the network and one out of it."""
    for node in nodes:
        around = [v for v in node.input if v and v != NORMALISED and v not in inside and v not in constants]
        if around:
            raise ModelFileError(
                f"the graph: expected {NORMALISED!r} to be all that leads into the network, but node "
                f"{node.name or node.op_type} reads {around[0]!r}; export the run again"
            )
    for node in graph.node:
        behind = [v for v in node.input if v in inside and v != LOGITS]
        if behind and inside.isdisjoint(node.output):
            raise ModelFileError(
                f"the graph: expected {LOGITS!r} to be all that leads out of the network, but node "
                f"{node.name or node.op_type} reads {behind[0]!r}; export the run again"
            )


def _types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {info.name: info.type.tensor_type for info in (*graph.value_info, *graph.input, *graph.output)}


def _shape(kind: onnx.TypeProto.Tensor) -> tuple[int, ...]:
    return tuple(axis.dim_value for axis in kind.shape.dim)
