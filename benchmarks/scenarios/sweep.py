"""What resolution, precision, threads and provider cost: latency, memory and ms per megapixel, point by point.

Each point is measured in a process of its own, because the most memory that a process ever had can't be told apart by
session, and because the waiting threads of one session would take cores from another. Every point is visited in each
of several rounds, so that a machine that slows down slows all points alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency import noise_frames
from benchmarks.model_facts import network_name
from benchmarks.scenarios.child import run_child
from benchmarks.scenarios.node_times import profile_nodes
from benchmarks.summary import latency_summary
from runtime.errors import UsageError
from runtime.model_file import load_model_file
from runtime.options import EngineOptions
from runtime.spec import ModelSpec

CHILD = Path(__file__).with_name("sweep_child.py")
DISTINCT_FRAMES = 4


SWEEP_COLUMNS = (
    "size", "precision", "provider", "threads", "median", "a megapixel", "peak memory", "largest activation",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """One setting.

    Attributes:
        file: place of the file among those of the record.
        path: the model file.
        threads: of the CPU provider; None for ONNX Runtime's choice.
        provider: as for Segmenter.
    """

    file: int
    path: Path
    threads: int | None = 1
    provider: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How much is measured at each point.

    Attributes:
        frames: calls, at least 1.
        warmup: calls before, in each process.
        rounds: visits to each point, at least 1; the calls are spread over them.
        longest_s: of a visit: then it is over, once there are calls enough for a median, however many are missing.
        options: of the engine; `threads` is each point's own.
    """

    frames: int = 300
    warmup: int = 3
    rounds: int = 3
    longest_s: float = 10.0
    options: EngineOptions = EngineOptions()  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        if self.frames < 1 or self.warmup < 0 or self.rounds < 1 or not self.longest_s > 0:
            raise UsageError(
                "sweep: at least 1 frame, 0 warm-up frames, 1 round and a time over 0 s were expected, got "
                f"{self.frames}, {self.warmup}, {self.rounds} and {self.longest_s}; correct the numbers"
            )


def measure_sweep(
    points: Sequence[SweepPoint], settings: SweepSettings, advance: Callable[[int], object] = lambda _: None
) -> list[dict[str, Any]]:
    """Measures all points, round by round; every other round goes backwards.

    Args:
        points: what to measure.
        settings: how much.
        advance: told of each visit that is done (`rounds` for each point).

    Returns:
        A result for each point, in their order; `growth_of` takes them. `peak_memory_mb` is the host's, over what the
        process had before it opened the file, weights included: the largest of the visits. `largest_activation_mb` is
        the most that one node makes, by ONNX Runtime's profile of the graph as it runs there, fused and in its
        precision; None where the provider makes one node of the graph.

    Raises:
        UsageError: no point.
        ModelFileError: not a model that segtool runs.
        DeviceError: a point failed.
    """
    if not points:
        raise UsageError("sweep: expected at least 1 point, got none; give a file")
    specs = {point.path: load_model_file(point.path).spec for point in points}
    visits: list[list[dict[str, Any]]] = [[] for _ in points]
    places = list(range(len(points)))
    for turn in range(settings.rounds):
        for place in places if turn % 2 == 0 else reversed(places):
            point = points[place]
            visits[place].append(run_child(CHILD, _asked(point, specs[point.path], settings)).said)
            advance(1)
    activations: dict[tuple[Path, str], float | None] = {}
    results = []
    for point, seen in zip(points, visits, strict=True):
        key = point.path, str(seen[0]["provider"])
        if key not in activations:
            activations[key] = _largest_activation_mb(*key, settings.options, specs[point.path])
        results.append(_result(point, specs[point.path], seen, activations[key]))
    return results


def sweep_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Returns one point as a table row under `SWEEP_COLUMNS`."""
    memory, activation = result["peak_memory_mb"], result["largest_activation_mb"]
    return (
        f"{result['width_px']}x{result['height_px']}",
        result["precision"],
        result["provider"],
        str(result["threads"] or "as ONNX Runtime chooses"),
        f"{result['median_ms']:.2f} ms",
        f"{result['ms_per_megapixel']:.1f} ms",
        "-" if memory is None else f"{memory:.1f} MB",
        "-" if activation is None else f"{activation:.1f} MB",
    )


def _asked(point: SweepPoint, spec: ModelSpec, settings: SweepSettings) -> dict[str, object]:
    return {
        "path": str(point.path),
        "provider": point.provider,
        "options": asdict(replace(settings.options, threads=point.threads)),
        "shape": list(spec.frame_shape) if spec.batch == 1 else [spec.batch, *spec.frame_shape],
        "distinct": DISTINCT_FRAMES,
        "frames": -(-settings.frames // settings.rounds),
        "warmup": settings.warmup,
        "longest_s": settings.longest_s,
    }


def _largest_activation_mb(path: Path, provider: str, options: EngineOptions, spec: ModelSpec) -> float | None:
    nodes = profile_nodes(path, provider, options, noise_frames(spec, 1, 0), warmup=0)
    return max(node.output_bytes for node in nodes) / 1e6 if nodes else None


def _result(
    point: SweepPoint, spec: ModelSpec, visits: Sequence[dict[str, Any]], activation_mb: float | None
) -> dict[str, Any]:
    samples_ms = np.concatenate([np.array(visit["samples_ms"]) for visit in visits])
    memory = [visit["memory_mb"] for visit in visits]
    median_ms = float(np.median(samples_ms))
    return {
        "file": point.file,
        "network": network_name(spec.training),
        "width_px": spec.width_px,
        "height_px": spec.height_px,
        "batch": spec.batch,
        "threads": point.threads,
        "precision": spec.precision,
        "provider": visits[0]["provider"],
        "frames": len(samples_ms),
        "invalid_frames": sum(visit["invalid"] for visit in visits),
        "latency_ms": latency_summary(samples_ms),
        "median_ms": median_ms,
        "ms_per_megapixel": median_ms / (spec.width_px * spec.height_px * spec.batch / 1e6),
        "peak_memory_mb": None if None in memory else max(memory),
        "largest_activation_mb": activation_mb,
    }
