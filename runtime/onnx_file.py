"""What an ONNX file holds, read without the onnx package: inputs, outputs, nodes, tensors, metadata.

It tells what is there and refuses what is malformed; which model is acceptable is model_file.py's business.
Source of the field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .protobuf import Message, Source
from .tensors import InitializerInfo, floats_finite, read_sparse_tensor, read_tensor

_TYPE_KINDS = (1, 4, 5, 7, 8, 9)  # TypeProto: tensor, sequence, map, opaque, sparse tensor, optional


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the graph.

    Attributes:
        name: its name.
        elem_type: ONNX's number of the element type (2 is uint8); 0 where it is no plain tensor.
        dims: one entry an axis: a number, the name of a free axis, or None where nothing is said.
    """

    name: str
    elem_type: int
    dims: tuple[int | str | None, ...]


@dataclass(frozen=True)
class NodeInfo:
    """A node of the graph or of a subgraph.

    Attributes:
        op_type: the operator ("Conv").
        domain: the operator's domain; "" is ONNX's own (also where the file says "ai.onnx").
        name: the node's name, may be "".
        finite: whether no floating-point attribute is NaN or infinite (tensors are told apart, as initializers).
        inputs: names of what it takes, "" for one that is left out.
        outputs: names of what it gives.
    """

    op_type: str
    domain: str
    name: str
    finite: bool = True
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class OnnxStructure:
    """What an ONNX file holds.

    Attributes:
        ir_version: version of the file format.
        opsets: domain -> version; "" is ONNX's own domain (also where the file says "ai.onnx").
        inputs: the graph's inputs, in order.
        outputs: the graph's outputs, in order.
        metadata: key and value, in the file's order.
        nodes: every node, those of subgraphs after the node that holds them.
        initializers: every tensor in the file: initialisers, sparse ones, and tensors in attributes of nodes.
        local_code: parts that define computation outside the graph ("functions", "training_info"), if any.
    """

    ir_version: int
    opsets: Mapping[str, int]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata: tuple[tuple[str, str], ...]
    nodes: tuple[NodeInfo, ...]
    initializers: tuple[InitializerInfo, ...]
    local_code: tuple[str, ...] = ()


@dataclass
class _Found:
    nodes: list[NodeInfo] = field(default_factory=list)
    tensors: list[InitializerInfo] = field(default_factory=list)


def read_structure(model: bytes, where: str) -> OnnxStructure:
    """Reads what an ONNX file holds, in time linear in its size and without recursion deeper than a fixed cap.

    Args:
        model: the file's bytes.
        where: its name, for error messages.

    Raises:
        ModelFileError: the bytes are not an ONNX model, whichever way.
    """
    proto = Message(memoryview(model), "the model", Source(where))
    graph = proto.message(7, "the graph")
    if graph is None:
        raise proto.fault("no graph")
    found = _Found()
    _read_graph(graph, found)
    return OnnxStructure(
        ir_version=proto.integer(1),
        opsets=_read_opsets(proto),
        inputs=tuple(_read_value(value) for value in graph.messages(11, "a graph input")),
        outputs=tuple(_read_value(value) for value in graph.messages(12, "a graph output")),
        metadata=read_metadata(proto),
        nodes=tuple(found.nodes),
        initializers=tuple(found.tensors),
        local_code=tuple(name for name, number in (("functions", 25), ("training_info", 20)) if number in proto),
    )


def read_metadata(model: Message) -> tuple[tuple[str, str], ...]:
    """The metadata entries of a ModelProto, key and value, in the file's order."""
    return tuple((entry.text(1), entry.text(2)) for entry in model.messages(14, "a metadata entry"))


def _read_opsets(model: Message) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for entry in model.messages(8, "an opset import"):
        domain = _domain(entry.text(1))
        if domain in opsets:
            raise model.fault(f"two opset imports of domain '{domain}'")
        opsets[domain] = entry.integer(2)
    return opsets


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name  # two names of one domain


def _read_graph(graph: Message, found: _Found) -> None:
    for tensor in graph.messages(5, "an initializer"):
        found.tensors.append(read_tensor(tensor))
    for sparse in graph.messages(15, "a sparse initializer"):
        found.tensors.extend(read_sparse_tensor(sparse))
    for node in graph.messages(1, "a node"):
        _read_node(node, found)


def _read_node(node: Message, found: _Found) -> None:
    op_type, name = node.text(4), node.text(3)
    attributes = node.messages(5, f"an attribute of a {op_type} node")
    finite = all(floats_finite(attribute, number) for attribute in attributes for number in (2, 7))  # f, floats
    found.nodes.append(
        NodeInfo(op_type, _domain(node.text(7)), name, finite, tuple(node.texts(1)), tuple(node.texts(2)))
    )
    for attribute in attributes:
        _read_attribute(attribute, f"{name or op_type}.{attribute.text(1)}", found)


def _read_attribute(attribute: Message, name: str, found: _Found) -> None:
    single, several = attribute.message(5, "a tensor"), attribute.messages(10, "a tensor")
    if single is not None:
        found.tensors.append(read_tensor(single, name))
    found.tensors.extend(read_tensor(tensor, f"{name}[{index}]") for index, tensor in enumerate(several))
    sparse = attribute.message(22, "a sparse tensor")
    for tensor in [*([sparse] if sparse is not None else []), *attribute.messages(23, "a sparse tensor")]:
        found.tensors.extend(read_sparse_tensor(tensor, name))
    graph = attribute.message(6, "a subgraph")
    for subgraph in [*([graph] if graph is not None else []), *attribute.messages(11, "a subgraph")]:
        _read_graph(subgraph, found)  # as deep as protobuf.MAX_DEPTH lets messages nest


def _read_value(value: Message) -> TensorInfo:
    name, kind = value.text(1), value.message(2, "a type")
    if kind is None:
        return TensorInfo(name, 0, ())
    if sum(number in kind for number in _TYPE_KINDS) > 1:
        raise kind.fault("two kinds at once")
    tensor = kind.message(1, "a tensor type")
    if tensor is None:
        return TensorInfo(name, 0, ())
    shape = tensor.message(2, "a shape")
    axes = [] if shape is None else shape.messages(1, "an axis")
    return TensorInfo(name, tensor.enum(1), tuple(_read_axis(axis) for axis in axes))


def _read_axis(axis: Message) -> int | str | None:
    if 1 in axis and 2 in axis:
        raise axis.fault("both a length and a name")
    if 1 in axis:
        return axis.integer(1)
    return axis.text(2) if 2 in axis else None
