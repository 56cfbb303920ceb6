"""Which files a set of records measured, and how long each takes, from the scenario that tells it best."""

from collections.abc import Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]

# where a summary of calls one after another is found, the plainest scenario first
_WHERE = {"single-stream": "latency_ms", "camera": "back_to_back", "peers": "ours_ms", "soak": "latency_ms"}


def identity(file: Mapping[str, Any]) -> tuple[object, ...]:
    """Returns what makes two measured files one: the same bytes on the same provider with as many threads."""
    return file["sha256"], file["provider"], file["threads"]


def distinct_files(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns each measured file once, in the order of the records; with its accuracy where any record has it."""
    found: dict[tuple[object, ...], Mapping[str, Any]] = {}
    for record in records:
        for file in record["files"]:
            if identity(file) not in found or found[identity(file)]["accuracy"] is None:
                found[identity(file)] = file
    return list(found.values())


def result_of(
    records: Sequence[Mapping[str, Any]], file: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Summary] | None:
    """Returns the result that tells best how long a file takes, frame by frame, and its summary; None without one."""
    for scenario, key in _WHERE.items():
        for record in records:
            if record["scenario"] != scenario:
                continue
            for result in record["results"]:
                if identity(record["files"][result["file"]]) == identity(file):
                    return result, result[key]
    return None


def median_ms(records: Sequence[Mapping[str, Any]], file: Mapping[str, Any]) -> float | None:
    """Returns a file's p50 in milliseconds, None where it was not measured or had too few frames."""
    found = result_of(records, file)
    return None if found is None else found[1]["percentiles"].get("p50")
