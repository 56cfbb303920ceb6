"""How large and how small the values between a network's layers get on real frames, against what half precision holds.

The statistics are computed inside the graph, so that a tensor is gone as soon as it has been counted: the memory is
that of one ordinary frame, whatever their number.
"""

import math
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.numerics.half import LARGEST_FLUSHED, LARGEST_HALF, SMALLEST_NORMAL_HALF
from export.numerics.network import find_network
from export.numerics.session import open_unoptimised
from runtime.errors import DataError
from trainer.data.progress import track

_ROUNDS_TO_INF = 65520.0  # half way between 65504 and the next number that float16 would have
_STATISTICS = ("largest", "nonzero", "not_flushed", "normal", "finite")


@dataclass(frozen=True, kw_only=True)
class TensorRange:
    """The values of one tensor over all frames.

    Attributes:
        name: of the tensor.
        node: that gives it; "" for the network's input when that is the graph's.
        op: kind of that node.
        largest: magnitude; Inf where a value is not finite.
        values: counted.
        nonzero: of them.
        below_normal: not zero and below 6.10e-5, half's smallest normal number: kept with fewer bits.
        flushed: those of them that become zero in half.
        not_finite: NaN or Inf, in float32 already.
    """

    name: str
    node: str
    op: str
    largest: float
    values: int
    nonzero: int
    below_normal: int
    flushed: int
    not_finite: int

    @property
    def overflows(self) -> bool:
        """Whether a value becomes Inf in half."""
        return not self.largest < _ROUNDS_TO_INF

    @property
    def headroom(self) -> float:
        """How many times larger the values may get before half can't hold them; below 1 it can't already."""
        return LARGEST_HALF / self.largest if self.largest else math.inf

    @property
    def share_below_normal(self) -> float:
        """Of the values that are not zero."""
        return self.below_normal / self.nonzero if self.nonzero else 0.0

    @property
    def share_flushed(self) -> float:
        """Of the values that are not zero."""
        return self.flushed / self.nonzero if self.nonzero else 0.0

    def report(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "node": self.node,
            "op": self.op,
            "largest": self.largest if math.isfinite(self.largest) else None,
            "headroom": self.headroom if math.isfinite(self.headroom) else None,
            "share_below_normal": self.share_below_normal,
            "share_flushed": self.share_flushed,
            "values": self.values,
            "not_finite": self.not_finite,
        }


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """All tensors of the network, in graph order, its input first.

    Attributes:
        frames: that went through.
        tensors: one each.
    """

    frames: int
    tensors: tuple[TensorRange, ...]

    @property
    def overflowing(self) -> frozenset[str]:
        """Names of the tensors that half can't hold."""
        return frozenset(tensor.name for tensor in self.tensors if tensor.overflows)

    @property
    def largest(self) -> TensorRange:
        """The tensor with the least headroom."""
        return max(self.tensors, key=lambda tensor: tensor.largest)

    @property
    def share_below_normal(self) -> float:
        """Of all values that are not zero, over all tensors."""
        return sum(t.below_normal for t in self.tensors) / max(1, sum(t.nonzero for t in self.tensors))

    @property
    def share_flushed(self) -> float:
        """Of all values that are not zero, over all tensors."""
        return sum(t.flushed for t in self.tensors) / max(1, sum(t.nonzero for t in self.tensors))

    def report(self) -> dict[str, object]:
        """Ready for JSON: tensors with the least headroom first, of equal ones those that lose most small values."""
        worst = sorted(self.tensors, key=lambda t: (-t.largest, -t.share_flushed))
        return {
            "frames": self.frames,
            "largest_half": LARGEST_HALF,
            "smallest_normal_half": SMALLEST_NORMAL_HALF,
            "overflowing": sorted(self.overflowing),
            "share_below_normal": self.share_below_normal,
            "share_flushed": self.share_flushed,
            "tensors": [tensor.report() for tensor in worst],
        }


def measure_ranges(model: onnx.ModelProto, images: Iterable[NDArray[np.uint8]]) -> Ranges:
    """Runs frames through a float32 graph and counts what its tensors hold.

    Args:
        model: float32.
        images: each as the graph's input takes it, batch dimension included; gone through once, none is held.

    Raises:
        DataError: there is no frame.
    """
    floats = find_network(model).floats
    makers = {value: node for node in model.graph.node for value in node.output}
    names = list(floats)
    session = _open(model, names)
    totals = {name: np.zeros(len(_STATISTICS)) for name in names}  # float64 counts exactly to 9e15
    frames = 0
    total = len(images) if isinstance(images, Sized) else None
    for image in track(images, "ranges", total):
        answers = iter(session.run(None, {model.graph.input[0].name: image}))
        for name in names:
            largest, *counts = (next(answers) for _ in _STATISTICS)
            row = totals[name]
            row[0] = max(row[0], float(largest))
            row[1:] += [float(count.sum(dtype=np.float64)) for count in counts]
        frames += 1
    if frames == 0:
        raise DataError("ranges: expected one frame or more, got none; give frames of the validation split")
    return Ranges(
        frames=frames, tensors=tuple(_range(n, makers[n], totals[n], frames * math.prod(floats[n])) for n in names)
    )


def _range(name: str, maker: NodeProto, totals: NDArray[np.float64], values: int) -> TensorRange:
    nonzero, not_flushed, normal, finite = (int(count) for count in totals[1:])
    not_finite = values - finite
    return TensorRange(
        name=name,
        node=maker.name,
        op=maker.op_type,
        largest=math.inf if not_finite else float(totals[0]),
        values=values,
        nonzero=nonzero,
        below_normal=nonzero - normal,
        flushed=nonzero - not_flushed,
        not_finite=not_finite,
    )


def _open(model: onnx.ModelProto, names: list[str]) -> Any:  # noqa: ANN401
    """A session whose outputs are the statistics of each tensor, in order."""
    measured = onnx.ModelProto()
    measured.CopyFrom(model)
    graph = measured.graph
    del graph.output[:]
    bounds = (0.0, LARGEST_FLUSHED, np.nextafter(np.float32(SMALLEST_NORMAL_HALF), np.float32(0)))
    limits = (*bounds, np.finfo(np.float32).max)
    for statistic, limit in zip(_STATISTICS[1:], limits, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array(limit, np.float32), f"limit.{statistic}"))
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "limit.axis"))
    for name in names:
        graph.node.extend(_statistics(name))
        graph.output.extend(
            helper.make_tensor_value_info(f"{name}.{statistic}", TensorProto.FLOAT, None) for statistic in _STATISTICS
        )
    session, _ = open_unoptimised(measured)
    return session


def _statistics(name: str) -> list[NodeProto]:
    """The largest magnitude, and counts by rows: a float32 sum over a whole tensor would not be exact."""
    nodes = [
        helper.make_node("Abs", [name], [f"{name}.abs"]),
        helper.make_node("ReduceMax", [f"{name}.abs"], [f"{name}.largest"], keepdims=0),
    ]
    for statistic in _STATISTICS[1:]:
        compare = "LessOrEqual" if statistic == "finite" else "Greater"
        hit, number = f"{name}.{statistic}.hit", f"{name}.{statistic}.number"
        nodes += [
            helper.make_node(compare, [f"{name}.abs", f"limit.{statistic}"], [hit]),
            helper.make_node("Cast", [hit], [number], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", [number, "limit.axis"], [f"{name}.{statistic}"], keepdims=0),
        ]
    return nodes
