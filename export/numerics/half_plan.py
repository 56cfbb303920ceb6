"""Which nodes of a network compute in half precision, and which have to stay in float32 because others do.

Knows what the ONNX operator set has in half; knows nothing of what a node's precision costs.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import onnx
from onnx import AttributeProto, NodeProto, TensorProto

from export.numerics.network import LOGITS, NORMALISED, Network, find_network
from runtime.errors import ModelFileError, UsageError

# They hand values on, or make them no larger and no more accurate, so that a tensor kept in float32 because half can't
# hold it stays in float32 behind them too. Clip is none of them: ReLU6 brings a value back into half's range.
PASSING = frozenset(
    (
        *("AveragePool", "Concat", "DepthToSpace", "Flatten", "GlobalAveragePool", "GlobalMaxPool", "Identity"),
        *("LeakyRelu", "MaxPool", "PRelu", "Pad", "Relu", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split"),
        *("Squeeze", "Transpose", "Unsqueeze"),
    )
)
_NOT_CONVERTED = (AttributeProto.TENSOR, AttributeProto.GRAPH, AttributeProto.GRAPHS, AttributeProto.SPARSE_TENSOR)
_HALF = "tensor(float16)"


@dataclass(frozen=True, kw_only=True)
class HalfNetwork(Network):
    """A network of which every node can be told by its name, and what half precision has to know of it.

    Attributes:
        weights: those of `constants` that are float32.
        never_half: names of nodes that the ONNX operator set does not have in half precision.
        opset: version of the standard domain.
    """

    weights: Mapping[str, TensorProto]
    never_half: frozenset[str]
    opset: int


@dataclass(frozen=True, kw_only=True)
class FloatPlan:
    """Which nodes compute in float32.

    Attributes:
        kept: the nodes that were decided on, in graph order.
        forced: the nodes that have to follow, in graph order: they read a float32 tensor that half may not hold, or
            have no half version.
    """

    kept: tuple[str, ...]
    forced: tuple[str, ...]

    @property
    def float_nodes(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.kept, *self.forced))


def half_network(model: onnx.ModelProto) -> HalfNetwork:
    """Finds the network in a float32 graph, in the form in which it can become half.

    Raises:
        ModelFileError: as `find_network`; or a node without a name of its own, or a constant that is no initialiser.
    """
    network = find_network(model)
    _check_names(network.nodes)
    _check_constants(network.nodes)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return HalfNetwork(
        nodes=network.nodes,
        floats=network.floats,
        constants=network.constants,
        weights={name: t for name, t in network.constants.items() if t.data_type == TensorProto.FLOAT},
        never_half=frozenset(n.name for n in network.nodes if not _has_half(n, network.floats.keys(), opset)),
        opset=opset,
    )


def plan(network: HalfNetwork, keep_float: Set[str]) -> FloatPlan:
    """Which nodes compute in float32 when these are kept in it.

    The output of a kept node stays float32, so all its readers compute in float32. What a reader gives goes back to
    half, except behind nodes that only hand values on (PASSING), where the same tensor would be lost a step later.

    Args:
        network: of the graph.
        keep_float: names of nodes.

    Raises:
        UsageError: a name that no node of the network has.
    """
    unknown = sorted(keep_float - {node.name for node in network.nodes})
    if unknown:
        raise UsageError(
            f"keep_float: expected nodes between {NORMALISED} and {LOGITS}, got {unknown[0]!r}; "
            "list them with: segtool inspect FILE.onnx"
        )
    stays: set[str] = set()  # values that must not be rounded to half
    forced: list[str] = []
    for node in network.nodes:
        reads_kept = not stays.isdisjoint(node.input)
        if node.name in keep_float or (reads_kept and node.op_type in PASSING):
            stays.update(node.output)
        if node.name not in keep_float and (reads_kept or node.name in network.never_half):
            forced.append(node.name)
    return FloatPlan(kept=tuple(n.name for n in network.nodes if n.name in keep_float), forced=tuple(forced))


def half_inputs(node: NodeProto, opset: int) -> Iterator[tuple[int, str]]:
    """Positions and names of the inputs that may be half; Resize's roi and scales stay float32, as engines ask."""
    formal = onnx.defs.get_schema(node.op_type, opset, node.domain).inputs
    for position, value in enumerate(node.input):
        takes_half = _HALF in formal[min(position, len(formal) - 1)].types
        if value and takes_half and not (node.op_type == "Resize" and position > 0):
            yield position, value


def _check_names(nodes: Sequence[NodeProto]) -> None:
    seen = {""}
    for node in nodes:
        if node.name in seen:
            raise ModelFileError(
                f"the graph: expected every node of the network to have a name of its own, got {node.name!r} for a "
                f"{node.op_type}; name the nodes first"
            )
        seen.add(node.name)


def _check_constants(nodes: Sequence[NodeProto]) -> None:
    for node in nodes:
        if not node.input or any(attribute.type in _NOT_CONVERTED for attribute in node.attribute):
            raise ModelFileError(
                f"the graph: expected constants as initialisers and no subgraphs, got node {node.name} "
                f"({node.op_type}); fold it before converting"
            )


def _has_half(node: NodeProto, floats: Set[str], opset: int) -> bool:
    """Whether the node can take and give half wherever it takes and gives float32 data."""
    allowed = {value for _, value in half_inputs(node, opset)}
    outputs = onnx.defs.get_schema(node.op_type, opset, node.domain).outputs
    gives = [min(position, len(outputs) - 1) for position, value in enumerate(node.output) if value in floats]
    takes = [value for value in node.input if value in floats]
    return all(value in allowed for value in takes) and all(_HALF in outputs[position].types for position in gives)
