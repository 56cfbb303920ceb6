"""How cost grows with pixels: the exponent of a power law through the points of a sweep, and what memory follows."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def growth_of(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Fits each network, precision, number of threads and provider of a sweep that was measured at two sizes or more.

    Args:
        results: of `measure_sweep`.

    Returns:
        An object each, in the order of the results: `of`, in words; `exponent` of the median time over pixels, 1 where
        twice the pixels take twice as long; `error`, its standard error, None for two points, through which any line
        goes; `from_px`, `to_px`; `points`; `memory_per_activation`: MB of peak memory that come with each MB more of
        the largest activation, None where either is not known. It is a slope, so weights and libraries, which are the
        same at each size, do not count.
    """
    groups: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        groups[_name(result)].append(result)
    return [_growth(name, points) for name, points in groups.items() if len({_pixels(point) for point in points}) > 1]


def power_law(pixels: npt.NDArray[np.float64], times_ms: npt.NDArray[np.float64]) -> tuple[float, float | None]:
    """Fits time = a * pixels ^ exponent by least squares of logarithms, each point with the same weight.

    Args:
        pixels: float64 [N], over 0, at least two different ones.
        times_ms: float64 [N], over 0.

    Returns:
        The exponent and its standard error, None where there are but two sizes.
    """
    slope, residual, spread = _line(np.log(pixels), np.log(times_ms))
    free = len(np.unique(pixels)) - 2  # points at one size say nothing of the slope
    return slope, math.sqrt(residual / free / spread) if free > 0 else None


def growth_rows(growth: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of one object of `growth_of`."""
    error = ", too few sizes for an error" if growth["error"] is None else f" ± {growth['error']:.3f}"
    told = f"exponent {growth['exponent']:.3f}{error}, {growth['points']} sizes"
    rows = [("time", f"{told}, {growth['from_px']} to {growth['to_px']} pixels")]
    if growth["memory_per_activation"] is not None:
        rows.append(("memory", f"{growth['memory_per_activation']:.2f} MB for each MB of the largest activation"))
    return rows


def _growth(name: str, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    pixels = np.array([_pixels(point) for point in points], np.float64)
    times_ms = np.array([point["median_ms"] for point in points], np.float64)
    exponent, error = power_law(pixels, times_ms)
    return {
        "of": name,
        "exponent": exponent,
        "error": error,
        "from_px": int(pixels.min()),
        "to_px": int(pixels.max()),
        "points": len(set(pixels)),
        "memory_per_activation": _memory_slope(points),
    }


def _memory_slope(points: Sequence[Mapping[str, Any]]) -> float | None:
    pairs = [(point["largest_activation_mb"], point["peak_memory_mb"]) for point in points]
    if any(None in pair for pair in pairs) or len({activation for activation, _ in pairs}) < 2:
        return None
    activations, memory = np.array(pairs, np.float64).T
    return _line(activations, memory)[0]


def _line(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope of y over x, the sum of squares that it leaves, and that of x around its mean."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    return slope, float(((y - slope * x) ** 2).sum()), spread


def _name(result: Mapping[str, Any]) -> str:
    threads = result["threads"]
    counted = "threads as ONNX Runtime chooses" if threads is None else f"{threads} thread{'s' if threads > 1 else ''}"
    return f"{result['network'] or 'network'} {result['precision']}, {counted}, {result['provider']}"


def _pixels(result: Mapping[str, Any]) -> int:
    return int(result["width_px"]) * int(result["height_px"]) * int(result["batch"])
