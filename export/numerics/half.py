"""The network of a float32 graph in half precision, and what it costs to keep some of its nodes in float32.

Written here because `onnxruntime.transformers.float16.convert_float_to_float16` (1.31) does not do: given the nodes at
the two ends to leave alone it wrote an unsorted graph with two nodes of one name, which neither onnx.checker nor ONNX
Runtime opens; it puts a pair of casts around every node left alone, and changes weights without a word (1e6 to 65504,
1e-9 to 6e-8).
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.numerics.half_plan import HalfNetwork, half_inputs, half_network, plan
from export.numerics.network import LOGITS
from runtime.errors import ModelFileError

LARGEST_HALF = 65504.0
SMALLEST_NORMAL_HALF = 2.0**-14  # 6.10e-5; below it bits are lost one by one
LARGEST_FLUSHED = 2.0**-25  # half of the smallest subnormal: rounds to zero, ties going to even

_Use = tuple[str, bool]  # a value or weight, and whether it is wanted in half


@dataclass(frozen=True, kw_only=True)
class KeepCost:
    """What keeping nodes in float32 costs over a network all in half.

    Attributes:
        float_nodes: nodes that compute in float32: those named, and those that have to follow.
        casts_added: Cast nodes more.
        bytes_added: weights more, in bytes of the file.
    """

    float_nodes: int
    casts_added: int
    bytes_added: int


@dataclass(frozen=True, kw_only=True)
class SmallWeights:
    """How many weights half precision holds badly.

    Attributes:
        values: weights that become half.
        below_normal: not zero, and below half's smallest normal number, where bits are lost.
        flushed: those of them that become zero.
    """

    values: int
    below_normal: int
    flushed: int


def to_half(model: onnx.ModelProto, keep_float: Set[str] = frozenset()) -> onnx.ModelProto:
    """The same graph with the network between `normalised` and `logits` in float16; both ends stay as they are.

    `normalised`, `logits` and what a float32 node gives keep their names as float32 values, everything else its name as
    a float16 value. A value wanted in the other type is cast once for all readers (name + ".float16" or ".float32").

    Args:
        model: float32, with static shapes; it is not changed.
        keep_float: names of nodes that compute in float32, with what must follow them (see half_plan.plan).

    Raises:
        ModelFileError: a weight that float16 can't hold, or a graph that is not as half_network expects it.
        UsageError: a name in `keep_float` that no node of the network has.
    """
    network = half_network(model)
    return convert(model, network, plan(network, keep_float).float_nodes)


def convert(model: onnx.ModelProto, network: HalfNetwork, float_nodes: Set[str]) -> onnx.ModelProto:
    """As `to_half`, with exactly these nodes in float32, whatever they read; for the search."""
    half_values = _half_values(network, float_nodes)
    uses = _uses(model, network, float_nodes)
    casts = _casts(network, half_values, uses)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    inside = {node.name for node in network.nodes}
    nodes: list[NodeProto] = []
    for node in graph.node:
        copied = NodeProto()
        copied.CopyFrom(node)
        if node.name in inside:
            _retype(copied, node.name not in float_nodes, half_values, uses, network)
        nodes.append(copied)
        nodes += [_cast(v, half, half_values) for v in node.output for half in (True, False) if (v, half) in casts]
    del graph.node[:]
    graph.node.extend(nodes)
    _convert_weights(graph, network, uses)
    stale = [info for info in graph.value_info if info.name in half_values]
    for info in stale:
        graph.value_info.remove(info)
    onnx.checker.check_model(result, full_check=True)
    return result


def keep_cost(model: onnx.ModelProto, keep_float: Set[str]) -> KeepCost:
    """What `to_half(model, keep_float)` costs over `to_half(model)`.

    Raises:
        UsageError: a name in `keep_float` that no node of the network has.
    """
    network = half_network(model)
    chosen = plan(network, keep_float)
    counts = []
    for float_nodes in (chosen.float_nodes, plan(network, frozenset()).float_nodes):
        uses = _uses(model, network, float_nodes)
        weight_bytes = sum(_count(network.weights[v]) * (2 if half else 4) for v, half in uses if v in network.weights)
        counts.append((len(_casts(network, _half_values(network, float_nodes), uses)), weight_bytes))
    (casts, size), (least_casts, least_size) = counts
    return KeepCost(
        float_nodes=len(chosen.float_nodes),
        casts_added=casts - least_casts,
        bytes_added=size - least_size,
    )


def small_weights(model: onnx.ModelProto, keep_float: Set[str] = frozenset()) -> SmallWeights:
    """Counts the weights that lose bits in half precision."""
    network = half_network(model)
    uses = _uses(model, network, plan(network, keep_float).float_nodes)
    values = below = flushed = 0
    for name, half in uses:
        if half and name in network.weights:
            magnitude = np.abs(numpy_helper.to_array(network.weights[name]))
            small = (magnitude > 0) & (magnitude < SMALLEST_NORMAL_HALF)
            values, below = values + magnitude.size, below + int(small.sum())
            flushed += int((small & (magnitude <= LARGEST_FLUSHED)).sum())
    return SmallWeights(values=values, below_normal=below, flushed=flushed)


def weights_beyond_half(network: HalfNetwork) -> dict[str, str]:
    """Nodes that can't be half because a weight of theirs is beyond float16's range: node -> that weight."""
    beyond = {n for n, t in network.weights.items() if not np.isfinite(_rounded(numpy_helper.to_array(t))).all()}
    found = {node.name: next((v for v in node.input if v in beyond), None) for node in network.nodes}
    return {node: weight for node, weight in found.items() if weight is not None}


def _half_values(network: HalfNetwork, float_nodes: Set[str]) -> frozenset[str]:
    """Values that their node gives in half."""
    return frozenset(v for n in network.nodes if n.name not in float_nodes for v in n.output if v in network.floats)


def _uses(model: onnx.ModelProto, network: HalfNetwork, float_nodes: Set[str]) -> frozenset[_Use]:
    """Which values and weights are wanted in which type, by the network and by what stands around it."""
    inside = {node.name for node in network.nodes}
    uses: set[_Use] = {(LOGITS, False)}
    for node in model.graph.node:
        half = set()
        if node.name in inside and node.name not in float_nodes:
            half = {position for position, _ in half_inputs(node, network.opset)}
        for position, value in enumerate(node.input):
            if value in network.weights or value in network.floats:
                uses.add((value, position in half))
    return frozenset(uses)


def _casts(network: HalfNetwork, half_values: Set[str], uses: Set[_Use]) -> frozenset[_Use]:
    return frozenset((v, half) for v, half in uses if v in network.floats and (v in half_values) != half)


def _name_as(value: str, half: bool, half_values: Set[str]) -> str:
    """The name of a value in one of the two types: its own in the type it is made in; `logits` is always float32."""
    own = not half if value == LOGITS else (value in half_values) == half
    return value if own else f"{value}.float16" if half else f"{value}.float32"


def _weight_as(name: str, half: bool, uses: Set[_Use]) -> str:
    return f"{name}.float16" if half and (name, False) in uses else name


def _retype(node: NodeProto, half: bool, half_values: Set[str], uses: Set[_Use], network: HalfNetwork) -> None:
    """Points a node's inputs and outputs at the values of its type, in place."""
    in_half = {position for position, _ in half_inputs(node, network.opset)} if half else set()
    for position, value in enumerate(node.input):
        if value in network.weights:
            node.input[position] = _weight_as(value, position in in_half, uses)
        elif value in network.floats:
            node.input[position] = _name_as(value, position in in_half, half_values)
    for position, value in enumerate(node.output):
        if value in network.floats:
            node.output[position] = _name_as(value, half, half_values)
    for attribute in node.attribute:
        if half and node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16


def _cast(value: str, half: bool, half_values: Set[str]) -> NodeProto:
    source, result = (_name_as(value, kind, half_values) for kind in (not half, half))
    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return helper.make_node("Cast", [source], [result], name=f"cast_{result}", to=to)


def _convert_weights(graph: onnx.GraphProto, network: HalfNetwork, uses: Set[_Use]) -> None:
    tensors: list[TensorProto] = []
    for tensor in graph.initializer:
        if tensor.name not in network.weights or (tensor.name, False) in uses:
            tensors.append(tensor)
        if tensor.name in network.weights and (tensor.name, True) in uses:
            tensors.append(_half_weight(tensor, _weight_as(tensor.name, True, uses)))
    kept = onnx.GraphProto()
    kept.initializer.extend(tensors)
    del graph.initializer[:]
    graph.initializer.extend(kept.initializer)


def _half_weight(tensor: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    half = _rounded(values)
    wrong = values[~np.isfinite(half)]
    if wrong.size:
        raise ModelFileError(
            f"weight {tensor.name}: expected values that float16 holds (up to {LARGEST_HALF:.0f}), got {wrong[0]:g} "
            f"and {wrong.size} such in all; keep the nodes that read it in float32"
        )
    return numpy_helper.from_array(half, name)


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(np.float16)


def _count(tensor: TensorProto) -> int:
    return int(np.prod(tensor.dims, dtype=np.int64))
