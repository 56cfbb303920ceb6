"""From the start of a process to its first valid mask, split into parts, beside a clock outside the process."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.scenarios.child import ChildReport, run_child
from runtime.errors import DeviceError, UsageError
from runtime.options import EngineOptions

CHILD = Path(__file__).with_name("cold_child.py")
ADD_UP = 0.02  # of the outside time: what the parts may miss of it

_OPENING = ("file", "session", "placement")  # of the runtime's steps, those that are the part "session"
_WARM_CACHE = "warm: one start before these was not counted"


@dataclass(frozen=True, kw_only=True)
class ColdStartSettings:
    """What is started, and how often.

    Attributes:
        provider: as for Segmenter; better named than "auto", which tries others first.
        options: of the engine.
        repeats: starts that count, at least 1. One more goes before them, so that all of these find the files of Python
            and the model in the system's cache; what a first start after a boot takes, only a boot can tell.
    """

    provider: str = "auto"
    options: EngineOptions
    repeats: int = 5

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UsageError(f"cold-start: at least 1 repeat was expected, got {self.repeats}; correct the number")


def measure_cold_start(
    path: Path, settings: ColdStartSettings, advance: Callable[[int], object] = lambda _: None
) -> dict[str, Any]:
    """Starts a program on the file again and again, each time in a new process.

    The parts are durations that the program and the runtime took themselves, each with its own two readings of the
    clock, so time that none of them saw is missing from their sum and shows against `outside_ms`.

    Args:
        path: the model file.
        settings: how often, and on what.
        advance: told of each start that is done (`repeats` + 1 of them).

    Returns:
        The result for the record, without `file`: parts of the start whose outside time is the median (the lower one of
        two), so that they belong together; `outside_ms` of it, and of all of them in `starts_ms`; `first_ms`, that of
        the start that does not count.

    Raises:
        DeviceError: the program failed, or its first answer was not valid.
    """
    asked = {"path": str(path), "provider": settings.provider, "options": asdict(settings.options)}
    starts: list[ChildReport] = []
    for _ in range(settings.repeats + 1):
        starts.append(run_child(CHILD, asked))
        if not starts[-1].said["valid"]:
            raise DeviceError(
                f"{path}: expected a first mask without label 255 on provider '{starts[-1].said['provider']}', got one "
                "with it; try the file with `segtool selftest`"
            )
        advance(1)
    first, *counted = starts
    chosen = sorted(counted, key=_outside_ms)[(len(counted) - 1) // 2]
    parts_ms = _parts_ms(chosen)
    return {
        "repeats": settings.repeats,
        "provider": chosen.said["provider"],
        "parts_ms": parts_ms,
        "sum_ms": sum(parts_ms.values()),
        "outside_ms": _outside_ms(chosen),
        "starts_ms": [_outside_ms(start) for start in counted],
        "first_ms": _outside_ms(first),
        "file_cache": _WARM_CACHE,
    }


def cold_start_notes(result: Mapping[str, Any]) -> list[str]:
    """Returns a remark where the parts miss more of the outside time than `ADD_UP`; else nothing."""
    missed = abs(result["outside_ms"] - result["sum_ms"]) / result["outside_ms"]
    if missed <= ADD_UP:
        return []
    return [
        f"the parts of the cold start add up to {result['sum_ms']:.1f} ms, an outside clock saw "
        f"{result['outside_ms']:.1f} ms, {missed:.1%} apart: measure again on a quiet machine"
    ]


def cold_start_gate(result: Mapping[str, Any], ready_budget_ms: float) -> dict[str, Any]:
    """Returns whether the median start was within a budget, by the outside clock, as a gate of the record.

    Args:
        result: of `measure_cold_start`.
        ready_budget_ms: from process start to the first valid mask, over 0.
    """
    return {
        "name": "ready",
        "limit": f"first valid mask within {ready_budget_ms:g} ms",
        "got": f"{result['outside_ms']:.1f} ms",
        "ok": result["outside_ms"] <= ready_budget_ms,
    }


def cold_start_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a result."""
    fastest, slowest = min(result["starts_ms"]), max(result["starts_ms"])
    return [
        *((name, f"{part:.1f} ms") for name, part in result["parts_ms"].items()),
        ("all parts", f"{result['sum_ms']:.1f} ms"),
        ("by an outside clock", f"{result['outside_ms']:.1f} ms, median of {result['repeats']} starts"),
        ("all starts", f"{fastest:.1f} to {slowest:.1f} ms"),
        ("file cache", result["file_cache"]),
    ]


def _outside_ms(start: ChildReport) -> float:
    return (start.received_ns - start.spawned_ns) / 1e6


def _parts_ms(start: ChildReport) -> dict[str, float]:
    said = start.said
    steps_ms: Mapping[str, float] = said["steps_ms"]
    return {
        "interpreter": (said["began_ns"] - start.spawned_ns) / 1e6,
        "import": said["import_ms"],
        "session": sum(steps_ms[step] for step in _OPENING),
        "warm-up": steps_ms["warm-up"],
        "self-test": steps_ms["self-test"],
        "first frame": said["first_frame_ms"],
    }
