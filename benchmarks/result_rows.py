"""A record's results as tables of names and values, one for each result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.peers.measure import peers_rows
from benchmarks.record import head_rows, machine_line
from benchmarks.scenarios.camera import camera_rows
from benchmarks.scenarios.cold_start import cold_start_rows
from benchmarks.scenarios.growth import growth_rows
from benchmarks.scenarios.offline import offline_rows
from benchmarks.scenarios.single_stream import single_stream_rows
from benchmarks.scenarios.soak import soak_rows
from benchmarks.scenarios.stages import stages_rows
from benchmarks.scenarios.sweep import SWEEP_COLUMNS, sweep_row

Rows = list[tuple[str, str]]
Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]  # title, columns, rows

ROWS: Mapping[str, Callable[[Any], Rows]] = {
    "single-stream": single_stream_rows,
    "camera": camera_rows,
    "offline": offline_rows,
    "cold-start": cold_start_rows,
    "soak": soak_rows,
    "stages": stages_rows,
    "peers": peers_rows,
}
GATE_COLUMNS = ("gate", "asked", "got", "verdict")


def result_tables(record: Mapping[str, Any]) -> list[Table]:
    """Returns a title, columns and rows for each result; the points of a sweep share a table, its growth has others."""
    if record["scenario"] == "sweep":
        machine = machine_line(record["machine"])
        points = [sweep_row(result) for result in record["results"]]
        growths: list[Table] = [
            (f"growth, {growth['of']}", ("", ""), growth_rows(growth)) for growth in record["growth"]
        ]
        return [(f"sweep on {machine}", SWEEP_COLUMNS, points), *growths]
    tables: list[Table] = []
    for result in record["results"]:
        file = record["files"][result["file"]]
        rows = [*head_rows(record, file), *ROWS[record["scenario"]](result)]
        tables.append((f"{record['scenario']} {file['file']}", ("", ""), rows))
    return tables


def gate_rows(record: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns rows under `GATE_COLUMNS`."""
    return [
        (gate["name"], gate["limit"], gate["got"], "passed" if gate["ok"] else "FAILED") for gate in record["gates"]
    ]
