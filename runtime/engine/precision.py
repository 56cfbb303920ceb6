"""How many nodes of a model file compute in half precision, followed through the graph without the onnx package."""

from ..onnx_file import NodeInfo, OnnxStructure
from ..tensors import FLOAT16

# Which inputs hold the values that a node computes with; the others are sizes, axes, indices, or of another type. Every
# operator that is not named takes values of one type at each input.
_VALUE_INPUTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Resize", "Slice", "Squeeze", "Unsqueeze", "Split", "Expand", "Tile", "Gather"), (0,)),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Upsample", "TopK"), (0,)),
    "Pad": (0, 2),
    "QuantizeLinear": (0, 1),
    "Where": (1, 2),
    "DequantizeLinear": (1,),  # the scale, as which it answers
}
_ANSWERS_OTHERWISE = frozenset(
    (
        *("ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual"),
        *("NonZero", "QuantizeLinear", "Shape", "Size"),
    )
)
_CONVERTS = "Cast"
_CAST_TO_HALF = ".float16"


def half_nodes(structure: OnnxStructure) -> int:
    """How many nodes take or give half precision, Cast nodes left out.

    Followed from what is known to be half along the nodes that have one type for what they take and give, both ways.
    Known are the weights, by their type, and what `segtool export` casts: it calls the half of a value NAME.float16.

    Args:
        structure: of a checked model file.
    """
    values = [_values(node) for node in structure.nodes]
    touching: dict[str, list[int]] = {}
    for index, names in enumerate(values):
        for name in names:
            touching.setdefault(name, []).append(index)
    waiting = [tensor.name for tensor in structure.initializers if tensor.elem_type == FLOAT16]
    casts = [node for node in structure.nodes if node.op_type == _CONVERTS]
    waiting += [name for node in casts for name in (*node.inputs, *node.outputs) if name.endswith(_CAST_TO_HALF)]
    half, seen = set(waiting), set()
    while waiting:
        for index in touching.get(waiting.pop(), ()):
            if index in seen:
                continue
            seen.add(index)
            waiting += [name for name in values[index] if name not in half]
            half.update(values[index])
    return len(seen)


def _values(node: NodeInfo) -> list[str]:
    """The inputs and outputs of a node that have one type; none of a Cast, which has two."""
    if node.op_type == _CONVERTS:
        return []
    chosen = _VALUE_INPUTS.get(node.op_type, range(len(node.inputs)))
    names = [node.inputs[position] for position in chosen if position < len(node.inputs)]
    return [name for name in (*names, *(() if node.op_type in _ANSWERS_OTHERWISE else node.outputs)) if name]
