"""The network within an exported graph as a model of its own, taken out and put back."""

from collections import Counter

import onnx
from onnx import NodeProto, TensorProto, helper

from export.numerics.network import LOGITS, NORMALISED, find_network
from runtime.errors import ModelFileError


def cut_network(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network alone: float `normalised` [N,3,H,W] -> float `logits` [N,C,H,W], with the shapes of all its values.

    Raises:
        ModelFileError: as `find_network`.
    """
    network = find_network(model)
    ends = [helper.make_tensor_value_info(v, TensorProto.FLOAT, network.floats[v]) for v in (NORMALISED, LOGITS)]
    graph = helper.make_graph(network.nodes, "network", ends[:1], ends[1:], list(network.constants.values()))
    return with_shapes(helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version))


def replace_network(model: onnx.ModelProto, network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the graph in which another network of the same door stands between `normalised` and `logits`.

    Nodes keep their order: front, network, back. Weights that nothing reads any more are gone, and so are noted shapes.

    Raises:
        ModelFileError: as `find_network`; or the network writes or holds a name that the rest of the graph uses for
            something else.
    """
    old = {output for node in find_network(model).nodes for output in node.output}
    rest = [node for node in model.graph.node if node.output[0] not in old]
    behind = _reached_from(LOGITS, rest)
    front = [node for node in rest if node.output[0] not in behind]
    back = [node for node in rest if node.output[0] in behind]
    nodes = [*front, *network.graph.node, *back]
    outside = {tensor.name: tensor for tensor in model.graph.initializer}
    read_outside = {name for node in rest for name in node.input}
    tensors = {name: tensor for name, tensor in outside.items() if name in read_outside}
    for tensor in network.graph.initializer:
        if tensor.name in tensors and tensor != tensors[tensor.name]:
            raise _taken(tensor.name)
        tensors[tensor.name] = tensor
    counts = Counter(name for node in nodes for name in node.output if name) + Counter(tensors.keys())
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise _taken(twice[0])
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for field in (copy.graph.node, copy.graph.initializer, copy.graph.value_info):
        del field[:]
    copy.graph.node.extend(nodes)
    copy.graph.initializer.extend(tensors.values())
    return copy


def with_shapes(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with every value's shape written down anew."""
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    del copy.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(copy, strict_mode=True)


def shape_of(network: onnx.ModelProto, name: str) -> tuple[int, ...]:
    """The static shape of a value of a model that `with_shapes` gave.

    Raises:
        ModelFileError: the value has none.
    """
    graph = network.graph
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.name == name:
            return tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
    raise ModelFileError(f"the exported graph: expected a static shape of value '{name}', got none; report this")


def _reached_from(name: str, nodes: list[NodeProto]) -> set[str]:
    """First outputs of the nodes, in topological order, that depend on `name`."""
    reached, values = set(), {name}
    for node in nodes:
        if values & set(node.input):
            reached.add(node.output[0])
            values |= set(node.output)
    return reached


def _taken(name: str) -> ModelFileError:
    return ModelFileError(f"the exported graph: expected one value named '{name}', got two; report this")
