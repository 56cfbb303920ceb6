"""What a record without a camera's pace found, in a sentence: the opening of its page."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.page.numbers import count, ms

Result = Mapping[str, Any]


def finding(record: Mapping[str, Any]) -> str:
    """Returns a sentence for each of a record's results, with the file's name where there are several.

    Args:
        record: of any scenario but camera.
    """
    if record["scenario"] == "sweep":
        return _sweep(record)
    told = _TOLD[record["scenario"]]
    results = record["results"]
    if len(results) == 1:
        return told(results[0])
    return " ".join(f"{record['files'][result['file']]['file']}: {told(result)}" for result in results)


def tail(summary: Mapping[str, Any]) -> str:
    """Returns the one or two furthest percentiles that frames sufficed for: "p99.9 21.0 ms, p99 18.2 ms"."""
    known = [f"{name} {ms(summary['percentiles'][name])}" for name in _RANKED if name in summary["percentiles"]]
    return ", ".join(known[:2]) or f"slowest {ms(summary['max'])} of too few frames for a percentile"


def _single_stream(result: Result) -> str:
    return f"A call takes {tail(result['latency_ms'])}, back to back; at a camera's pace it was not measured."


def _offline(result: Result) -> str:
    return f"{result['frames_per_s']:,.1f} frames/s with {count(result['batch'])} in a call."


def _cold_start(result: Result) -> str:
    return f"From the start of the process to the first valid mask {ms(result['outside_ms'])}."


def _soak(result: Result) -> str:
    slope, error = result["slope_kb_per_1000"], result["error_kb_per_1000"]
    return f"Memory changes by {slope:+.2f} ± {error:.2f} kB in 1,000 calls, over {count(result['frames'])}."


def _stages(result: Result) -> str:
    return f"A call takes {ms(result['segment_ms'])}, of it {ms(result['parts_ms']['graph'])} in the graph."


def _peers(result: Result) -> str:
    if not result["peers"]:
        return "No other engine could be measured beside it."
    ranked = sorted(result["peers"], key=lambda peer: float(peer["ratio"]["median"]))
    told = [f"{peer['name']} takes {peer['ratio']['median']:.2f} times as long" for peer in (ranked[0], ranked[-1])]
    return f"{' and '.join(dict.fromkeys(told))} as segtool."


def _sweep(record: Mapping[str, Any]) -> str:
    told = [
        f"{each['of']}: time grows with pixels to the power of {each['exponent']:.2f}." for each in record["growth"]
    ]
    return " ".join(told) or f"{count(len(record['results']))} settings, each in a process of its own."


_RANKED = ("p99.9", "p99", "p90", "p50")  # the furthest tail that was not withheld speaks
_TOLD: Mapping[str, Callable[[Result], str]] = {
    "single-stream": _single_stream,
    "offline": _offline,
    "cold-start": _cold_start,
    "soak": _soak,
    "stages": _stages,
    "peers": _peers,
}
