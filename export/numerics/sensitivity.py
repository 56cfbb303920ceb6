"""What int8 costs in labels, and what follows: which calibration method, which convolutions stay in float."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.calibration import METHODS, Calibration, Method
from export.numerics.int8 import Int8Result, Int8Settings, quantise
from export.numerics.label_agreement import agreement, labels_of
from trainer.data.progress import track

Frames = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """Which calibration method kept most labels.

    Attributes:
        method: that one.
        agreement: share of labels equal to the float32 graph's, by method.
        frames: that it was measured on.
    """

    method: Method
    agreement: dict[Method, float]
    frames: int

    def record(self) -> dict[str, object]:
        """What the spec says of it."""
        return {"method": self.method, "label_agreement": dict(self.agreement), "frames": self.frames}


@dataclass(frozen=True, kw_only=True)
class FloatStep:
    """A convolution that was left in float.

    Attributes:
        node: its name.
        gain: label agreement that leaving it alone in float adds.
        agreement: label agreement with it and all before it in float.
    """

    node: str
    gain: float
    agreement: float


@dataclass(frozen=True, kw_only=True)
class FloatSearch:
    """What was left in float until the gate was content.

    Attributes:
        result: the last graph that was tried.
        passed: whether the gate took it.
        start: label agreement with everything in int8.
        gains: label agreement that each convolution alone in float adds, by name; empty where none was needed.
        steps: what was left in float, in order.
    """

    result: Int8Result
    passed: bool
    start: float
    gains: dict[str, float]
    steps: tuple[FloatStep, ...]

    def record(self) -> dict[str, object]:
        """What the spec says of it."""
        return {
            "label_agreement_at_start": self.start,
            "left_in_float": [vars(step) for step in self.steps],
            "passed": self.passed,
        }


def choose_method(
    prepared: onnx.ModelProto,
    calibration: Calibration,
    held_out: Frames,
    settings: Int8Settings,
    threads: int | None = None,
) -> MethodChoice:
    """Quantises with each method and takes the one whose labels differ least from the float32 graph's.

    Args:
        prepared: from `prepare` for the target of `settings`.
        calibration: of `prepared`.
        held_out: training frames that were not calibrated on, uint8, as the graph's input wants them.
        settings: all but the method.
        threads: CPU threads; None leaves it to ONNX Runtime.

    Raises:
        DataError: no frames, or frames that do not fit.
        ModelFileError: as `quantise`.
    """
    expected = labels_of(prepared, held_out, threads)
    found: dict[Method, float] = {}
    for method in track(METHODS, "calibration method", len(METHODS)):
        result = quantise(prepared, calibration, replace(settings, method=method))
        found[method] = agreement(labels_of(result.model, held_out, threads), expected)
    best = max(METHODS, key=lambda method: found[method])  # the first of equals: min-max cuts nothing off
    return MethodChoice(method=best, agreement=found, frames=len(held_out))


def search_float_nodes(
    prepared: onnx.ModelProto,
    calibration: Calibration,
    held_out: Frames,
    settings: Int8Settings,
    gate: Callable[[Int8Result], bool],
    *,
    most: int = 8,
    threads: int | None = None,
) -> FloatSearch:
    """Leaves convolutions in float, the one that gains most first, until a gate passes.

    Each convolution's gain is measured once, by itself: one quantisation and one run over the frames for each. A gain
    that others would change is seen by the gate, not by the order. So a network of n convolutions costs at most
    1 + n + `most` such attempts and 1 + `most` calls of the gate, whatever happens: on one core and 16 frames 0.4 s
    an attempt for the 20 of a unet-fast at 128x128, 2.6 s for the 60 of an encoder-unet at 256x256, under 3 minutes.

    Args:
        prepared: from `prepare` for the target of `settings`.
        calibration: of `prepared`.
        held_out: training frames that were not calibrated on; eight are enough to tell the worst.
        settings: its float_nodes are the start.
        gate: says whether a graph is good enough; called before anything is searched, then after each step.
        most: how many convolutions may be added.
        threads: CPU threads; None leaves it to ONNX Runtime.

    Raises:
        DataError: no frames, or frames that do not fit.
        ModelFileError: as `quantise`.
    """
    expected = labels_of(prepared, held_out, threads)

    def attempt(float_nodes: tuple[str, ...]) -> tuple[Int8Result, float]:
        result = quantise(prepared, calibration, replace(settings, float_nodes=float_nodes))
        return result, agreement(labels_of(result.model, held_out, threads), expected)

    result, start = attempt(settings.float_nodes)
    if gate(result):
        return FloatSearch(result=result, passed=True, start=start, gains={}, steps=())
    candidates = result.quantised if len(result.quantised) > 1 else ()  # the last one can't be left in float too
    gains = {
        node: attempt((*settings.float_nodes, node))[1] - start
        for node in track(candidates, "sensitive nodes", len(candidates))
    }
    steps: list[FloatStep] = []
    passed = False
    useful = [node for node in sorted(gains, key=lambda name: -gains[name]) if gains[node] > 0]
    for node in useful[: min(most, len(gains) - 1)]:
        result, reached = attempt((*settings.float_nodes, *(step.node for step in steps), node))
        steps.append(FloatStep(node=node, gain=gains[node], agreement=reached))
        passed = gate(result)
        if passed:
            break
    return FloatSearch(result=result, passed=passed, start=start, gains=gains, steps=tuple(steps))
