"""What a half-precision graph gives on a device that truly computes in half, found out on the CPU in float32.

ONNX Runtime's CPU provider computes half nodes in float32 and drops the casts that it put around them (measured in 1.20
to 1.31), so nothing is rounded and nothing overflows there. Casts that stand in the file it keeps: here they do
the rounding. Inside a node sums are float32, as cuDNN and cuBLAS have them by default; a device that sums in half, or
rounds between a sum and its bias, differs by the last bit.
"""

from collections.abc import Set
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.numerics.network import LOGITS
from export.numerics.session import open_unoptimised, with_output
from runtime.errors import DeviceError

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_DROPS_NAN = frozenset({"GlobalMaxPool", "MaxPool"})


def emulate(half: onnx.ModelProto) -> onnx.ModelProto:
    """The graph that computes in float32 what `half` computes in half.

    Every half value is held as the float32 number it stands for: weights as they are, and what a node gives is rounded
    by a pair of casts, to Inf beyond half's range. A max pool of the CPU provider can drop a NaN; here none does.

    Args:
        half: from `half.to_half`; it is not changed.

    Returns:
        A graph with the same inputs and outputs.
    """
    result = onnx.ModelProto()
    result.CopyFrom(half)
    graph = result.graph
    halves = _half_values(half)
    for tensor in graph.initializer:
        if tensor.data_type == _HALF:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), tensor.name))
    nodes: list[NodeProto] = []
    for node in half.graph.node:
        copied = NodeProto()
        copied.CopyFrom(node)
        nodes += _in_float(copied, halves)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    onnx.checker.check_model(result, full_check=True)
    return result


def open_emulation(half: onnx.ModelProto) -> Any:  # noqa: ANN401  # onnxruntime has no types
    """An ONNX Runtime session on the CPU that emulates `half`, with `logits` float32 [N,C,h,w] as one more output.

    Raises:
        DeviceError: this ONNX Runtime removed casts that round, so that its answers would prove nothing.
    """
    model = with_output(emulate(half), LOGITS)
    session, optimised = open_unoptimised(model)
    expected, found = _roundings(model), _roundings(optimised)
    if found != expected:
        raise DeviceError(
            f"emulation of half: expected ONNX Runtime to keep {expected} casts to float16, it kept {found}; use "
            "another version of onnxruntime"
        )
    return session


def _half_values(half: onnx.ModelProto) -> frozenset[str]:
    graph = onnx.shape_inference.infer_shapes(half, strict_mode=True).graph
    return frozenset(info.name for info in graph.value_info if info.type.tensor_type.elem_type == _HALF)


def _in_float(node: NodeProto, halves: Set[str]) -> list[NodeProto]:
    """The node computing in float32, its half outputs rounded."""
    if node.op_type == "Cast" and node.input[0] in halves and _to(node) == _FLOAT:
        return [helper.make_node("Identity", node.input, node.output, name=node.name)]
    rounded = [value for value in node.output if value in halves]
    if not rounded:
        return [node]
    if node.op_type == "Cast":
        next(attribute for attribute in node.attribute if attribute.name == "to").i = _FLOAT  # the pair behind rounds
    for position, value in enumerate(node.output):
        if value in halves:
            node.output[position] = f"{value}.exact"
    nodes = [node]
    if node.op_type in _DROPS_NAN:
        nodes = _with_nan(node)
    for value in rounded:
        nodes.append(helper.make_node("Cast", [f"{value}.exact"], [f"{value}.half"], f"round_{value}", to=_HALF))
        nodes.append(helper.make_node("Cast", [f"{value}.half"], [value], f"hold_{value}", to=_FLOAT))
    return nodes


def _with_nan(pool: NodeProto) -> list[NodeProto]:
    """A max pool that gives NaN where it reads one: the square root of -1 is added there, that of -0 elsewhere."""
    value, result = pool.input[0], pool.output[0]
    where = NodeProto()
    where.CopyFrom(pool)
    where.name, where.input[0], where.output[0] = f"{pool.name}_nan", f"{result}.is", f"{result}.any"
    pool.output[0] = f"{result}.pooled"
    return [
        pool,
        helper.make_node("IsNaN", [value], [f"{result}.nan"]),
        helper.make_node("Cast", [f"{result}.nan"], [f"{result}.is"], to=_FLOAT),
        where,
        helper.make_node("Neg", [f"{result}.any"], [f"{result}.negative"]),
        helper.make_node("Sqrt", [f"{result}.negative"], [f"{result}.root"]),
        helper.make_node("Add", [f"{result}.pooled", f"{result}.root"], [result]),
    ]


def _to(node: NodeProto) -> int:
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "to")


def _roundings(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Cast" and _to(node) == _HALF for node in model.graph.node)
