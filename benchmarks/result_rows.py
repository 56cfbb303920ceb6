"""A record's results as tables of names and values, one for each result."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.peers.measure import peers_rows
from benchmarks.record import head_rows
from benchmarks.scenarios.camera import camera_rows
from benchmarks.scenarios.cold_start import cold_start_rows
from benchmarks.scenarios.growth import growth_rows
from benchmarks.scenarios.offline import offline_rows
from benchmarks.scenarios.single_stream import single_stream_rows
from benchmarks.scenarios.soak import soak_rows
from benchmarks.scenarios.stages import stages_rows
from benchmarks.scenarios.sweep import sweep_rows

Rows = list[tuple[str, str]]

ROWS: Mapping[str, Callable[[Any], Rows]] = {
    "single-stream": single_stream_rows,
    "camera": camera_rows,
    "offline": offline_rows,
    "cold-start": cold_start_rows,
    "soak": soak_rows,
    "sweep": sweep_rows,
    "stages": stages_rows,
    "peers": peers_rows,
}
GATE_COLUMNS = ("gate", "asked", "got", "verdict")


def result_tables(record: Mapping[str, Any]) -> list[tuple[str, Rows]]:
    """Returns a title and rows for each result; a sweep's growth comes after its points."""
    rows_of = ROWS[record["scenario"]]
    tables = []
    for result in record["results"]:
        file = record["files"][result["file"]]
        rows = [*head_rows(record, file), *rows_of(result)]
        tables.append((f"{record['scenario']} {file['file']}", rows))
    tables += [(f"growth of {growth['of']}", growth_rows(growth)) for growth in record["growth"]]
    return tables


def gate_rows(record: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns rows under `GATE_COLUMNS`."""
    return [
        (gate["name"], gate["limit"], gate["got"], "passed" if gate["ok"] else "FAILED") for gate in record["gates"]
    ]
