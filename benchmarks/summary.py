"""Latencies as a JSON object: percentiles as far as the samples carry them, and a histogram."""

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.percentiles import PERCENTS, early_stopping_estimate, percentile, samples_needed

HISTOGRAM_BINS = 32


def latency_summary(samples_ms: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Summarises latencies; a percentile without samples enough is withheld, with the count that it needs.

    Args:
        samples_ms: float64 [N], N at least 1, above 0, milliseconds.

    Returns:
        A JSON object: min, mean, max, percentiles {"p50": ms}, early_stopping {"p50": ms that the true
        percentile does not exceed, with 99 % confidence}, withheld {"p99": samples needed}, histogram.
    """
    percentiles: dict[str, float] = {}
    estimates: dict[str, float] = {}
    withheld: dict[str, int] = {}
    for percent in PERCENTS:
        value, estimate = percentile(samples_ms, percent), early_stopping_estimate(samples_ms, percent)
        if value is None or estimate is None:
            withheld[f"p{percent}"] = samples_needed(percent)
        else:
            percentiles[f"p{percent}"], estimates[f"p{percent}"] = value, estimate
    return {
        "min": float(samples_ms.min()),
        "mean": float(samples_ms.mean()),
        "max": float(samples_ms.max()),
        "percentiles": percentiles,
        "early_stopping": estimates,
        "withheld": withheld,
        "histogram": histogram(samples_ms),
    }


def spread(samples_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """Returns the percentiles {"p50": ms} of times that may be 0; one without samples enough for it is left out."""
    values = {percent: percentile(samples_ms, percent) for percent in PERCENTS}
    return {f"p{percent}": value for percent, value in values.items() if value is not None}


def histogram(samples_ms: npt.NDArray[np.float64]) -> dict[str, list[float] | list[int]]:
    """Counts latencies in bins of equal ratio, so that one slow frame does not press all others into one bin.

    Args:
        samples_ms: float64 [N], N at least 1, above 0.

    Returns:
        `edges_ms` (HISTOGRAM_BINS + 1 numbers, from the fastest to the slowest) and `counts` (HISTOGRAM_BINS integers).
    """
    fastest, slowest = float(samples_ms.min()), float(samples_ms.max())
    edges = np.clip(np.geomspace(fastest, slowest, HISTOGRAM_BINS + 1), fastest, slowest)  # it rounds past its ends
    edges[0], edges[-1] = fastest, slowest
    counts, _ = np.histogram(samples_ms, bins=edges)
    return {"edges_ms": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}


def summary_rows(summary: dict[str, Any], what: str = "") -> list[tuple[str, str]]:
    """Returns table rows, name and value, of what `latency_summary` gave.

    Args:
        summary: from there.
        what: goes before each name, "age".
    """
    name = f"{what} " if what else ""
    estimates = summary["early_stopping"]
    return [
        (f"{name}min, mean", f"{summary['min']:.2f}, {summary['mean']:.2f} ms"),
        *(
            (f"{name}{each}", f"{value:.2f} ms (with 99 % confidence at most {estimates[each]:.2f})")
            for each, value in summary["percentiles"].items()
        ),
        *((f"{name}{each}", f"withheld: needs {needed} frames") for each, needed in summary["withheld"].items()),
        (f"{name}max", f"{summary['max']:.2f} ms"),
    ]
