"""float32 graph -> int8 graph: QuantizeLinear and DequantizeLinear around what an int8 kernel computes (static QDQ).

Only the network between `normalised` and `logits` is quantised, with ranges of real frames (calibration.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.calibration import Calibration, Method, calibrate
from export.numerics.network import LOGITS, require_finite_weights
from export.numerics.network_model import cut_network, replace_network
from export.numerics.qdq import insert_qdq
from export.numerics.transposed import without_transposed_convolutions
from runtime.errors import UsageError

Target = Literal["cpu", "tensorrt"]
LARGEST_IR_VERSION = 10


@dataclass(frozen=True, kw_only=True)
class Int8Settings:
    """How a network becomes int8.

    Attributes:
        target: "cpu": unsigned activations, biases as int32. "tensorrt": signed activations around zero, biases float.
        method: how ranges follow from calibration.
        float_nodes: names of nodes of the prepared graph that stay in float.
        reduce_range: weights of 7 bits, for CPUs without VNNI, whose kernels saturate at 16 bits.
    """

    target: Target = "cpu"
    method: Method = "min-max"
    float_nodes: tuple[str, ...] = ()
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if self.target not in get_args(Target):
            raise UsageError(f"--int8 must be one of {', '.join(get_args(Target))}, got {self.target!r}")


@dataclass(frozen=True, kw_only=True)
class Int8Result:
    """An int8 graph and what is to be said of it.

    Attributes:
        model: the whole graph; `image`, `normalised`, `logits` and `labels` as before.
        quantised: names of the convolutions that compute in int8.
        float_nodes: names of the convolutions that stayed in float.
        calibration: the ranges it was made with.
        settings: the settings it was made with.
    """

    model: onnx.ModelProto
    quantised: tuple[str, ...]
    float_nodes: tuple[str, ...]
    calibration: Calibration
    settings: Int8Settings

    def record(self) -> dict[str, object]:
        """What the spec says of it."""
        return {
            "target": self.settings.target,
            "reduce_range": self.settings.reduce_range,
            "calibration": self.calibration.record(self.settings.method),
            "float_nodes": list(self.float_nodes),
        }


def to_int8(
    model: onnx.ModelProto, frames: Sequence[NDArray[np.uint8]], names: Sequence[str], settings: Int8Settings
) -> Int8Result:
    """Prepares, calibrates and quantises in one go; the three steps are there for those who try several settings.

    Args:
        model: the float32 graph, with `normalised` and `logits` in it.
        frames: uint8, each as the graph's input wants it without the batch axis; of the training split.
        names: of the frames.
        settings: see there.

    Raises:
        DataError: no frames, or frames that do not fit.
        ModelFileError: weights or ranges that are not finite, or a graph of another form.
    """
    prepared = prepare(model, settings.target)
    return quantise(prepared, calibrate(prepared, frames, names), settings)


def prepare(model: onnx.ModelProto, target: Target) -> onnx.ModelProto:
    """The same function, still float32, in the form in which it quantises best; every node of the network has a name.

    Raises:
        ModelFileError: weights that are not finite, or a graph of another form.
    """
    require_finite_weights(model)
    network = cut_network(model)
    for index, node in enumerate(network.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"  # the quantiser knows nodes by name
    if target == "cpu":  # TensorRT has transposed convolutions in int8
        network = without_transposed_convolutions(network)
    return replace_network(model, network)


def quantise(prepared: onnx.ModelProto, calibration: Calibration, settings: Int8Settings) -> Int8Result:
    """The int8 graph of a prepared and calibrated one.

    Args:
        prepared: from `prepare` for the same target.
        calibration: of `prepared`.
        settings: see there.

    Raises:
        UsageError: `float_nodes` names a node that is not there.
        ModelFileError: a range or scale that is not finite and positive, or a value without a range.
    """
    require_finite_weights(prepared)
    network = cut_network(prepared)
    names = {node.name for node in network.graph.node}
    unknown = sorted(set(settings.float_nodes) - names)
    if unknown:
        raise UsageError(f"float_nodes: expected names of the network's nodes, got {unknown[0]!r}; see segtool inspect")
    left = set(settings.float_nodes) | _enlarged_head(network)
    convolutions = [node.name for node in network.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    if not set(convolutions) - left:
        raise UsageError(f"float_nodes: expected a convolution left for int8, got all {len(convolutions)} in float")
    quantised = insert_qdq(
        network,
        calibration.bounds(settings.method),
        left,
        signed=settings.target == "tensorrt",
        reduce_range=settings.reduce_range,
    )
    model = replace_network(prepared, quantised)
    model.ir_version = min(prepared.ir_version, LARGEST_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return Int8Result(
        model=model,
        quantised=tuple(name for name in convolutions if name not in left),
        float_nodes=tuple(name for name in convolutions if name in left),
        calibration=calibration,
        settings=settings,
    )


def _enlarged_head(network: onnx.ModelProto) -> set[str]:
    """The last convolution and what follows it, where logits are enlarged: float kernels are faster there.

    Measured at 256x256 on one thread: 8.2 -> 8.0 ms (unet-fast), 12.0 -> 11.6 ms (encoder-unet); labels are finer too.
    """
    producers = {output: node for node in network.graph.node for output in node.output}
    node, tail = producers[LOGITS], set()
    while node.op_type in ("Resize", "DepthToSpace") and node.input[0] in producers:
        tail.add(node.name)
        node = producers[node.input[0]]
    return {*tail, node.name} if tail and node.op_type == "Conv" else set()
