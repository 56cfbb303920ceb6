"""What range each value of a network takes on real frames, and from that the range that int8 is to cover.

One pass over the frames, memory bounded: of each value the smallest, the largest and a histogram of fixed length are
kept, never the value itself. Nothing here quantises.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.network import find_network, require_finite_weights
from runtime.engine.providers import PROVIDERS
from runtime.engine.session import new_session, session_options
from runtime.errors import DataError, ModelFileError, UsageError
from runtime.options import EngineOptions
from trainer.data.progress import track

Method = Literal["min-max", "entropy", "percentile"]
METHODS: tuple[Method, ...] = get_args(Method)
PERCENTILE = 99.999  # of a value's elements lie within the range; the rest is cut in equal parts at both ends
_BINS = 4096  # of a histogram over [-limit, limit)
_SAMPLES = 1 << 16  # elements of one value and frame that go into its histogram, spread evenly
_LEVELS_SIGNED, _LEVELS_POSITIVE = 128, 255  # magnitudes that int8, and uint8 of a value >= 0, can tell apart
_KL_STEP = 8  # bins from one candidate to the next


@dataclass(kw_only=True)
class ValueRange:
    """What is known of one value: its extremes over all elements, and a histogram of a part of them.

    Attributes:
        lowest: smallest element; NaN if any was.
        highest: largest element; NaN if any was.
        limit: the histogram spans [-limit, limit), a power of two.
        counts: int64 [4096].
    """

    lowest: float = np.inf
    highest: float = -np.inf
    limit: float = 2.0**-40
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def add(self, values: NDArray[np.float32]) -> None:
        """Takes in another frame's elements, any shape."""
        self.lowest = float(np.minimum(self.lowest, values.min()))  # np.minimum keeps a NaN
        self.highest = float(np.maximum(self.highest, values.max()))
        if not np.isfinite([self.lowest, self.highest]).all():
            return  # refused by whoever asks for bounds
        while self.limit <= max(-self.lowest, self.highest):
            self.limit *= 2  # two bins become one, so that nothing counted is lost or moved
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.pad(merged, _BINS // 4)
        step = max(1, values.size // _SAMPLES) | 1  # odd: a power of two would see some columns of an image only
        bins = (values.ravel()[::step] * (_BINS / 2 / self.limit) + _BINS / 2).astype(np.int64)
        self.counts += np.bincount(np.clip(bins, 0, _BINS - 1), minlength=_BINS)

    def bounds(self, method: Method) -> tuple[float, float]:
        """Smallest and largest number that int8 is to tell apart; what lies beyond is cut to them."""
        if method == "min-max":
            return self.lowest, self.highest
        low, high = self._percentile() if method == "percentile" else self._least_divergence()
        return max(low, self.lowest), min(high, self.highest)

    def _percentile(self) -> tuple[float, float]:
        share = np.cumsum(self.counts) / max(1, self.counts.sum())
        cut = (100 - PERCENTILE) / 200
        edges = np.linspace(-self.limit, self.limit, _BINS + 1)
        return float(edges[np.searchsorted(share, cut, "right")]), float(edges[np.searchsorted(share, 1 - cut) + 1])

    def _least_divergence(self) -> tuple[float, float]:
        levels = _LEVELS_POSITIVE if self.lowest >= 0 else _LEVELS_SIGNED
        positive, negative = self.counts[_BINS // 2 :], self.counts[: _BINS // 2][::-1]
        magnitudes = positive + negative
        # as TensorRT does: the zeros of a ReLU fill one bin so full that the rest would not count. With them a U-Net's
        # ranges ended at a sixth of the largest activation, and 5 % of its labels changed
        magnitudes[0] = magnitudes[1]
        threshold = least_divergence(magnitudes, levels) * self.limit * 2 / _BINS
        return -threshold, threshold


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The ranges of a network's values on some frames.

    Attributes:
        values: by the value's name.
        frames: how many were run.
        sha256: of names and bytes of these frames, in their order.
    """

    values: Mapping[str, ValueRange]
    frames: int
    sha256: str

    def bounds(self, method: Method) -> dict[str, tuple[float, float]]:
        """Smallest and largest number that int8 is to cover, by the value's name.

        Raises:
            UsageError: no such method.
            ModelFileError: a value was not finite on some frame, or nothing is known of it.
        """
        if method not in METHODS:
            raise UsageError(f"calibration method must be one of {', '.join(METHODS)}, got {method!r}")
        for name, value in self.values.items():
            # the extremes themselves: every method compares, and a comparison with NaN picks the other number
            if not (np.isfinite([value.lowest, value.highest]).all() and value.lowest <= value.highest):
                raise ModelFileError(
                    f"calibration: expected a finite range of value '{name}', got {value.lowest} to {value.highest}; "
                    "the network overflows on these frames: export an earlier checkpoint"
                )
        return {name: value.bounds(method) for name, value in self.values.items()}

    def record(self, method: Method) -> dict[str, object]:
        """What the spec says of it."""
        return {"method": method, "frames": self.frames, "frames_sha256": self.sha256}


def calibrate(
    model: onnx.ModelProto, frames: Sequence[NDArray[np.uint8]], names: Sequence[str], threads: int | None = None
) -> Calibration:
    """Runs frames through the float32 graph and takes down the range of every value of the network.

    Args:
        model: the whole graph, float32, with `normalised` and `logits` in it.
        frames: uint8, each as the graph's input wants it without the batch axis ([H,W,3] for RGB), one or more;
            read once, one after the other.
        names: of the frames, for the record.
        threads: CPU threads; None leaves it to ONNX Runtime.

    Raises:
        DataError: no frame, not as many names, or a frame of another shape or type than the graph's input.
        ModelFileError: a weight that is not finite, or a graph without the two values.
    """
    if not frames or len(frames) != len(names):
        raise DataError(f"calibration: expected frames with a name each, got {len(frames)} frames, {len(names)} names")
    require_finite_weights(model)
    values = tuple(find_network(model).floats)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values)
    session = open_on_cpu(probe, threads)
    found = {name: ValueRange() for name in values}
    digest = hashlib.sha256()
    for name, inputs in zip(names, track(feeds(session, frames), "calibration", len(frames)), strict=True):
        digest.update(name.encode() + b"\0")
        digest.update(inputs[next(iter(inputs))][0].tobytes())
        for value, result in zip(values, session.run(list(values), inputs), strict=True):
            found[value].add(result)
    return Calibration(values=found, frames=len(frames), sha256=digest.hexdigest())


def open_on_cpu(model: onnx.ModelProto, threads: int | None) -> Any:  # noqa: ANN401  # onnxruntime has no types
    """A session of ONNX Runtime's CPU provider, optimised as in use."""
    options = session_options(EngineOptions(threads=threads), only_named_provider=False)
    return new_session(model.SerializeToString(), options, PROVIDERS["cpu"])


def feeds(session: Any, frames: Sequence[NDArray[np.uint8]]) -> Iterator[dict[str, NDArray[np.uint8]]]:  # noqa: ANN401
    """What a session takes for each frame; where its batch is larger than one, the same frame all over.

    Raises:
        DataError: a frame of another shape or type than the graph's input.
    """
    door = session.get_inputs()[0]
    batch, *shape = door.shape
    for index in range(len(frames)):
        frame = frames[index]
        if list(frame.shape) != shape or frame.dtype != np.uint8:
            raise DataError(
                f"calibration frame {index}: expected uint8 {shape} as the graph's '{door.name}', "
                f"got {frame.dtype} {list(frame.shape)}; resize the frames to the network's size"
            )
        yield {door.name: np.repeat(frame[None], batch, axis=0)}


def least_divergence(magnitudes: NDArray[np.int64], levels: int) -> int:
    """How many bins of a histogram of magnitudes to keep, so that `levels` numbers tell most of what all bins told.

    The Kullback-Leibler divergence between the cut histogram and itself rounded to `levels` groups is least there.
    Source: S. Migacz, "8-bit inference with TensorRT", GTC 2017.

    Args:
        magnitudes: int64 [B], counts of |value| by bin from 0 on.
        levels: groups, 1..B.

    Returns:
        levels..B; B for an empty histogram.
    """
    total = len(magnitudes)
    filled = int(np.max(np.nonzero(magnitudes)[0], initial=0)) + 1
    if filled <= levels:
        return levels if magnitudes.any() else total
    best, kept = np.inf, filled
    for count in (*range(levels, filled, _KL_STEP), filled):
        reference = magnitudes[:count].astype(np.float64)
        groups = np.arange(count) * levels // count
        present = reference > 0
        share = np.bincount(groups, reference, levels) / np.maximum(1, np.bincount(groups, present, levels))
        rounded = np.where(present, share[groups], 0.0)
        reference[-1] += magnitudes[count:].sum()  # what is cut off lands on the last number
        reference, rounded = reference / reference.sum(), np.maximum(rounded, 1e-4) / max(1e-4, rounded.sum())
        there = reference > 0
        divergence = float((reference[there] * np.log(reference[there] / rounded[there])).sum())
        if divergence < best:
            best, kept = divergence, count
    return kept
