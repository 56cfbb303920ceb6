"""Reads a bench record back, to be held against a new one: checked first, for it may be old, cut off or hand-edited."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.record import SCHEMA_VERSION
from runtime.errors import DataError, UsageError

_KEYS: Mapping[str, type] = {
    "scenario": str,
    "files": list,
    "frames": dict,
    "notes": list,
    "gates": list,
    "growth": list,
    "time_utc": str,
    "machine": dict,
    "state": dict,
    "results": list,
}
_AGAIN = "measure it again with `segtool bench`, --save for a baseline and --json for any other record"


def read_record(path: Path) -> dict[str, Any]:
    """Reads and checks what `segtool bench --save` or `--json` wrote.

    Args:
        path: the file.

    Returns:
        The JSON object; every number in it is finite.

    Raises:
        DataError: the file is absent, no strict JSON, of another kind or schema, or lacks a part.
    """
    try:
        record = json.loads(path.read_bytes().decode(), parse_constant=_refuse, parse_float=_finite)
    except OSError as error:
        raise DataError(f"{path}: a bench record was expected, got {error.strerror or error}; {_AGAIN}") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(f"{path}: a bench record in strict JSON was expected, got {error}; {_AGAIN}") from error
    if not isinstance(record, dict) or record.get("kind") != "bench":
        kind = record.get("kind") if isinstance(record, dict) else type(record).__name__
        raise DataError(f'{path}: a JSON object of kind "bench" was expected, got {kind!r}; {_AGAIN}')
    _check_schema(path, record.get("schema_version"))
    for key, kind in _KEYS.items():
        if not isinstance(record.get(key), kind):
            got = type(record[key]).__name__ if key in record else "nothing"
            raise DataError(f"{path}: a {kind.__name__} was expected at {key!r}, got {got}; {_AGAIN}")
    for key in ("files", "results"):
        for index, entry in enumerate(record[key]):
            if not isinstance(entry, dict):
                got = type(entry).__name__
                raise DataError(f"{path}: objects were expected at {key!r}, got {got} at {index}; {_AGAIN}")
    return record


def recorded_samples(record: Mapping[str, Any], name: str) -> list[npt.NDArray[np.float64]]:
    """Returns the latencies of each result of a record, in the order of its run.

    Args:
        record: of the scenario single-stream or camera; of the latter, those of every frame in turn.
        name: of the record, for the error.

    Returns:
        One float64 [N] a result, milliseconds.

    Raises:
        UsageError: a scenario that keeps no latency of each frame.
        DataError: a result has none, or one that is not above 0.
    """
    scenario = record["scenario"]
    if scenario not in ("single-stream", "camera"):
        raise UsageError(
            f"{name}: a record of single-stream or camera was expected, which keep each latency, got {scenario!r}; "
            "compare records of those"
        )
    return [_samples(result, scenario, f"{name}, result {index}") for index, result in enumerate(record["results"])]


def _samples(result: Mapping[str, Any], scenario: str, where: str) -> npt.NDArray[np.float64]:
    part = result.get("every") if scenario == "camera" else result
    samples = part.get("samples_ms") if isinstance(part, Mapping) else None
    if not isinstance(samples, list) or not samples:
        raise DataError(f"{where}: latencies were expected in samples_ms, got none; {_AGAIN}")
    wrong = next((value for value in samples if type(value) not in (int, float) or not value > 0), None)
    if wrong is not None:
        raise DataError(f"{where}: latencies over 0 ms were expected in samples_ms, got {wrong!r}; {_AGAIN}")
    return np.array(samples, np.float64)


def _check_schema(path: Path, version: object) -> None:
    if type(version) is not int:
        raise DataError(f"{path}: schema_version {SCHEMA_VERSION} was expected, got {version!r}; {_AGAIN}")
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version {SCHEMA_VERSION} was expected, got the newer {version}; "
            "use the segtool that wrote it, or a newer one"
        )
    if version < SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version {SCHEMA_VERSION} was expected, got the older {version}; {_AGAIN}")


def _refuse(word: str) -> float:
    raise ValueError(f"the number {word}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # 1e999 is JSON, but no float
        raise ValueError(f"the number {text}")
    return value
