"""Transposed convolutions without overlap, rewritten as what ONNX Runtime's int8 kernels know. Exact in real numbers.

ONNX Runtime computes ConvTranspose in float whatever stands around it: four of them cost a U-Net of width 16 3.3 ms of
24.6 at 256x256. With kernel = stride each input pixel gives a k x k block of its own: a 1x1 convolution to k * k * C
channels and a move of bytes. The move is written channels-last, so that ONNX Runtime cancels the transposes at its
sides and leaves one copy of whole rows; DepthToSpace, which it has for channels-first only, took longer than was won.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.numerics.network_model import shape_of, with_shapes


def without_transposed_convolutions(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which each ConvTranspose with kernel = stride and no padding is a 1x1 Conv and a move of its blocks.

    Others (overlapping, padded, in groups, without constant weights) are left as they are.

    Args:
        network: as `cut_network` gives it, with static shapes.

    Returns:
        The same function; the rewritten node's name goes to its Conv, the names of all other values stay.
    """
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in network.graph.initializer}
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    del copy.graph.node[:]
    for node in network.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "ConvTranspose" else None
        if weight is None or not _tiles(node, weight):
            copy.graph.node.append(node)
            continue
        bias = weights[node.input[2]] if len(node.input) > 2 else np.zeros(weight.shape[1], weight.dtype)
        nodes, tensors = _as_blocks(node, weight, bias, shape_of(network, node.input[0]))
        copy.graph.node.extend(nodes)
        copy.graph.initializer.extend(tensors)
    used = {name for node in copy.graph.node for name in node.input}
    kept = [tensor for tensor in copy.graph.initializer if tensor.name in used]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    return with_shapes(copy)


def _tiles(node: onnx.NodeProto, weight: NDArray[np.float32]) -> bool:
    """Whether its blocks lie side by side."""
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    kernel = list(weight.shape[2:])
    return (
        weight.ndim == 4
        and list(given.get("strides", [1, 1])) == kernel
        and kernel != [1, 1]
        and not any(given.get("pads", []))
        and not any(given.get("output_padding", []))
        and "output_shape" not in given
        and given.get("auto_pad", b"NOTSET") == b"NOTSET"
        and given.get("group", 1) == 1
        and set(given.get("dilations", [1])) == {1}
    )


def _as_blocks(
    node: onnx.NodeProto, weight: NDArray[np.float32], bias: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """The nodes and tensors in place of one; weight [I,C,kh,kw], bias [C], shape of the input [N,I,H,W]."""
    source, result, name = node.input[0], node.output[0], node.name or node.output[0]
    in_channels, channels, rows, columns = weight.shape
    batch, _, height, width = shape
    flat = weight.transpose(2, 3, 1, 0).reshape(rows * columns * channels, in_channels, 1, 1)  # (kh, kw, C) x I
    tensors: dict[str, NDArray[Any]] = {
        "weight": np.ascontiguousarray(flat),
        "bias": np.tile(bias, rows * columns),
        "blocks_shape": np.array([batch, height, width, rows, columns * channels], np.int64),
        "full_shape": np.array([batch, rows * height, columns * width, channels], np.int64),
    }
    blocks, last, apart, moved, together = (f"{result}.{step}" for step in ("blocks", "last", "apart", "moved", "all"))
    nodes = [
        helper.make_node("Conv", [source, f"{result}.weight", f"{result}.bias"], [blocks], name, kernel_shape=[1, 1]),
        helper.make_node("Transpose", [blocks], [last], f"{name}.last", perm=[0, 2, 3, 1]),  # [N,H,W,kh*kw*C]
        helper.make_node("Reshape", [last, f"{result}.blocks_shape"], [apart], f"{name}.apart"),  # [N,H,W,kh,kw*C]
        helper.make_node("Transpose", [apart], [moved], f"{name}.moved", perm=[0, 1, 3, 2, 4]),  # [N,H,kh,W,kw*C]
        helper.make_node("Reshape", [moved, f"{result}.full_shape"], [together], f"{name}.all"),  # [N,kh*H,kw*W,C]
        helper.make_node("Transpose", [together], [result], f"{name}.first", perm=[0, 3, 1, 2]),
    ]
    return nodes, [numpy_helper.from_array(value, f"{result}.{key}") for key, value in tensors.items()]
