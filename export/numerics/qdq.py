"""QuantizeLinear and DequantizeLinear put into a network by onnxruntime.quantization, which is kept quiet and checked.

It is given the ranges: its own calibraters keep every value of every frame, and drop NaN where they look for extremes.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from runtime.errors import ModelFileError

# Sigmoid, Softmax, means over the image and DepthToSpace stay in float: small, or no faster in int8.
_OPERATORS = (
    *("Add", "AveragePool", "Clip", "Concat", "Conv", "ConvTranspose", "MaxPool", "Mul", "Relu", "Reshape", "Resize"),
    "Transpose",
)
_LOWEST = "lowest_float32"
_MOVES = ("Clip", "DepthToSpace", "MaxPool", "Relu", "Reshape", "Resize", "Transpose")  # Q and DQ may move past these


def insert_qdq(
    network: onnx.ModelProto,
    bounds: Mapping[str, tuple[float, float]],
    left: set[str],
    *,
    signed: bool,
    reduce_range: bool,
) -> onnx.ModelProto:
    """Quantises a network's weights, one scale a channel, and puts QuantizeLinear and DequantizeLinear at its values.

    Args:
        network: float32, with shapes, every node named.
        bounds: smallest and largest number to cover, finite, by the value's name; of every float value.
        left: names of nodes that stay in float.
        signed: activations int8 around zero and biases float, rounded to what int32 could hold; else activations uint8
            and biases int32.
        reduce_range: weights from -64 to 64.

    Raises:
        ModelFileError: a bound that is not finite, or a scale that is not finite and over 0.
    """
    for name, ends in bounds.items():
        if not np.isfinite(ends).all():
            raise ModelFileError(
                f"int8: expected finite bounds of value '{name}', got {ends[0]} to {ends[1]}; calibrate it anew"
            )
    ranges = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in bounds.items()
    }
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    with _quiet():
        tool = QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=reduce_range,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8 if signed else QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
            nodes_to_quantize=[],
            nodes_to_exclude=sorted(left),
            op_types_to_quantize=list(_OPERATORS),
            extra_options={
                "WeightSymmetric": True,
                "ActivationSymmetric": signed,
                # unsigned, for CPUs: an int32 bias in the file leaves WeightBiasQuantization nothing to change at load,
                # and lets ONNX Runtimes without that step fuse the convolution. signed: TensorRT takes no int32 bias.
                "QuantizeBias": not signed,
                # signed: TensorRT fuses a convolution and its ReLU only where nothing rounds between the two
                "OpTypesToExcludeOutputQuantization": ["Conv", "ConvTranspose"] if signed else [],
            },
        )
        tool.quantize_model()
        tool.model.topological_sort()
    quantised: onnx.ModelProto = tool.model.model
    require_scales(quantised)
    _set_resizes_apart(quantised)
    _fence_float_convolutions(quantised)
    if signed:
        _put_biases_on_grid(quantised)
    return quantised


def _set_resizes_apart(quantised: onnx.ModelProto) -> None:
    """Gives what a linear Resize puts out a scale of its own, one float32 above that of its input, in place.

    The quantiser lets both share one. ONNX Runtime 1.20 then drops the DequantizeLinear and QuantizeLinear around it
    and interpolates bytes: 0.5 to 1.1 % of the labels of three networks differed from those of 1.31, which keeps the
    float32 Resize that the file asks for. Around scales that differ, be it in the last bit, both keep it.
    """
    graph = quantised.graph
    scales = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    shared: dict[str, str] = {}  # a new scale -> the one that the quantiser gave
    for quantize in (node for node in graph.node if node.op_type == "QuantizeLinear"):
        move = made_by.get(quantize.input[0])
        before = made_by.get(move.input[0]) if move is not None and move.op_type in _MOVES else None
        if move is None or before is None or before.op_type != "DequantizeLinear":
            continue
        name = before.input[1]
        if shared.get(name, name) != quantize.input[1]:
            continue
        if _interpolates(move):
            name = f"{move.output[0]}_scale"
            shared[name] = quantize.input[1]
            scales[name] = np.nextafter(scales[before.input[1]], np.float32(np.inf))
            graph.initializer.append(numpy_helper.from_array(scales[name], name))
        for node in graph.node:  # what only moves bytes on keeps one scale at both its sides
            if node is quantize or (node.op_type == "DequantizeLinear" and node.input[0] == quantize.output[0]):
                node.input[1] = name


def _interpolates(node: onnx.NodeProto) -> bool:
    mode = next((item.s for item in node.attribute if item.name == "mode"), b"nearest")
    return node.op_type == "Resize" and mode != b"nearest"


def _fence_float_convolutions(quantised: onnx.ModelProto) -> None:
    """Puts a Max that changes nothing behind each convolution that stayed in float between bytes, in place.

    ONNX Runtime quantises float weights at load, one scale for a whole tensor, wherever a Conv stands between
    DequantizeLinear and QuantizeLinear with nothing but Relu and Clip on the way (WeightBiasQuantization), after it has
    moved the two as close as they go (QDQPropagation): without the Max, a node that was left in float would be int8
    after all, and worse than before.
    """
    graph = quantised.graph
    weights = {tensor.name for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(_copy(node))
        if node.op_type not in ("Conv", "ConvTranspose") or node.input[1] not in weights:
            continue
        if _comes_from_bytes(node.input[0], graph) and _leads_to_bytes(node.output[0], graph):
            bare = f"{node.output[0]}.float"
            nodes[-1].output[0] = bare
            nodes.append(helper.make_node("Max", [bare, _LOWEST], [node.output[0]], f"{node.name}.float"))
    if len(nodes) > len(graph.node):
        graph.initializer.append(numpy_helper.from_array(np.array(np.finfo(np.float32).min), _LOWEST))
        del graph.node[:]
        graph.node.extend(nodes)


def _comes_from_bytes(name: str, graph: onnx.GraphProto) -> bool:
    makers = [node for node in graph.node if name in node.output]
    return any(
        node.op_type == "DequantizeLinear" or (node.op_type in _MOVES and _comes_from_bytes(node.input[0], graph))
        for node in makers
    )


def _leads_to_bytes(name: str, graph: onnx.GraphProto) -> bool:
    readers = [node for node in graph.node if name in node.input]
    return any(
        node.op_type == "QuantizeLinear" or (node.op_type in _MOVES and _leads_to_bytes(node.output[0], graph))
        for node in readers
    )


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def require_scales(quantised: onnx.ModelProto) -> None:
    """Refuses scales that make numbers of what is none, or nothing of numbers.

    Raises:
        ModelFileError: a scale of QuantizeLinear or DequantizeLinear that is not finite and over 0.
    """
    tensors = {tensor.name: tensor for tensor in quantised.graph.initializer}
    for node in quantised.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale = numpy_helper.to_array(tensors[node.input[1]])
            if not (np.isfinite(scale).all() and (scale > 0).all()):
                bad = scale[~(np.isfinite(scale) & (scale > 0))].ravel()[0]
                raise ModelFileError(
                    f"int8: expected finite scales over 0, got {bad} for '{node.input[0]}'; "
                    "a weight or a range is too small or too large: export an earlier checkpoint"
                )


def _put_biases_on_grid(quantised: onnx.ModelProto) -> None:
    """Rounds float biases to multiples of input scale x weight scale, in place.

    ONNX Runtime rounds them so at load (WeightBiasQuantization), TensorRT does not: rounded in the file, both compute
    with the same numbers, and what was proven with one holds for the other.
    """
    tensors = {tensor.name: tensor for tensor in quantised.graph.initializer}
    made_by = {output: node for node in quantised.graph.node for output in node.output}
    for node in quantised.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or len(node.input) < 3 or node.input[2] not in tensors:
            continue
        sources = [made_by.get(name) for name in node.input[:2]]
        scales = [
            numpy_helper.to_array(tensors[source.input[1]])
            for source in sources
            if source is not None and source.op_type == "DequantizeLinear"
        ]
        if len(scales) == len(sources):
            bias = tensors[node.input[2]]
            step = scales[0] * scales[1]  # float32, as ONNX Runtime computes it
            rounded = np.rint(numpy_helper.to_array(bias) / step) * step
            bias.CopyFrom(numpy_helper.from_array(rounded.astype(np.float32), bias.name))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the tool's notes on the root logger, which configures itself when it is first written to, out of sight."""
    root: Any = logging.getLogger()
    level, handlers = root.manager.disable, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
        root.handlers[:] = handlers
