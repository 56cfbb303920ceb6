"""The traced float32 graph in the precision that was asked for, and what had to be done for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.calibration import calibrate
from export.numerics.emulation import open_emulation
from export.numerics.half import to_half
from export.numerics.int8 import Int8Result, Int8Settings, Target, prepare
from export.numerics.int8_speed import cpu_has_vnni
from export.numerics.keep_search import find_kept_nodes
from export.numerics.label_agreement import agreement, labels_of
from export.numerics.ranges import measure_ranges
from export.numerics.sensitivity import choose_method, search_float_nodes
from runtime.errors import DataError

Frames = Sequence[NDArray[np.uint8]]
Labels = NDArray[np.uint8]

CALIBRATION_FRAMES = 64
HELD_OUT_FRAMES = 16  # of them not calibrated on: they choose the method and the nodes that stay in float
_LEAST_FRAMES = 4  # of which one is held out
_TENSORS_TOLD = 20  # of the range analysis, those with the least headroom
_NO_VNNI = (
    "this CPU has no VNNI, so weights were held to 7 bits, lest its kernels saturate; export on the target if it has it"
)


@dataclass(frozen=True, kw_only=True)
class PreciseGraph:
    """A graph in its precision.

    Attributes:
        model: unsealed.
        numerics: what the spec says of it; None for float32, to which nothing was done.
        report: all that was measured, ready for JSON.
        notes: sentences that whoever exports must read.
    """

    model: onnx.ModelProto
    numerics: Mapping[str, object] | None = None
    report: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def in_half(graph: onnx.ModelProto, frames: Frames, least_agreement: float) -> PreciseGraph:
    """The network in half precision, but for the nodes that half arithmetic would spoil.

    Args:
        graph: float32, from `trace`.
        frames: of the training split, uint8, as the graph's input wants them without the batch axis.
        least_agreement: share of labels that must stay under emulated half arithmetic.

    Raises:
        ModelFileError: a weight is beyond what half holds even in the nodes that stay in float32.
        GateError: no choice of nodes reaches the agreement.
    """
    batch = graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    images = [np.broadcast_to(frame, (batch, *frame.shape)) for frame in frames]  # copies could fill the memory
    expected = labels_of(graph, frames)

    def share(labels: Iterable[Labels]) -> float:
        return agreement([each[0] for each in labels], expected)

    ranges = measure_ranges(graph, images)
    found = find_kept_nodes(graph, images, lambda labels: share(labels) >= least_agreement, ranges)
    model = to_half(graph, found.keep_float)
    session, name = open_emulation(model), graph.graph.input[0].name
    emulated = share(session.run(["labels"], {name: image})[0] for image in images)
    told = ranges.report()
    told["tensors"] = told["tensors"][:_TENSORS_TOLD]  # type: ignore[index]
    return PreciseGraph(
        model=model,
        numerics={
            "frames": len(frames),
            "emulated_agreement": emulated,
            "largest_value": ranges.largest.report()["largest"],
            "kept_in_fp32": list(found.kept),
            "forced_to_fp32": list(found.forced),
        },
        report={"ranges": told, "kept": found.report(), "emulated_agreement": emulated},
        notes=tuple(f"kept in fp32: {name}: {why}" for name, why in zip(found.kept, found.reasons, strict=True)),
    )


def in_int8(
    graph: onnx.ModelProto,
    frames: Frames,
    names: Sequence[str],
    target: Target,
    passes: Callable[[PreciseGraph], bool],
) -> PreciseGraph:
    """The network in int8, but for the convolutions that cost too many labels in it.

    Args:
        graph: float32, from `trace`.
        frames: of the training split, as for `in_half`; the first of them choose, the others calibrate.
        names: of the frames.
        target: the engine that it is for.
        passes: the gates; asked before and after each convolution that is put back into float.

    Raises:
        DataError: too few frames.
        ModelFileError: a weight or a range that is not finite.
    """
    if len(frames) < _LEAST_FRAMES:
        raise DataError(
            f"int8: expected {_LEAST_FRAMES} training frames or more to calibrate on, got {len(frames)}; name a data "
            "set with more by --calibration"
        )
    lacks_vnni = target == "cpu" and cpu_has_vnni() is False
    settings = Int8Settings(target=target, reduce_range=lacks_vnni)
    held_out = min(HELD_OUT_FRAMES, len(frames) // 4)
    prepared = prepare(graph, target)
    calibration = calibrate(prepared, frames[held_out:], names[held_out:])
    choice = choose_method(prepared, calibration, frames[:held_out], settings)
    settings = Int8Settings(target=target, reduce_range=lacks_vnni, method=choice.method)
    notes = (_NO_VNNI,) if lacks_vnni else ()

    def of(result: Int8Result, **more: object) -> PreciseGraph:
        record = result.record()
        return PreciseGraph(
            model=result.model, numerics=record, report={**record, "method": choice.record(), **more}, notes=notes
        )

    search = search_float_nodes(prepared, calibration, frames[:held_out], settings, lambda result: passes(of(result)))
    return of(search.result, search=search.record())
