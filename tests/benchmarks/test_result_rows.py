"""Which tables a record becomes; what stands in a row is tested beside each scenario."""

import pytest

from benchmarks.result_rows import GATE_COLUMNS, ROWS, gate_rows, result_tables
from benchmarks.suite import SCENARIOS

FILE = {"file": "a.onnx", "bytes": 1_000_000, "sha256": "ab" * 32, "precision": "fp32", "width_px": 6, "height_px": 4}
FILE |= {"classes": 7, "batch": 1, "camera": None, "provider": "cpu", "threads": None, "accuracy": None}
MACHINE = {"cpu": "Some CPU", "cores_usable": 2, "gpus": [], "packages": {"onnxruntime": "1.31"}}


def test_every_scenario_has_rows_but_the_sweep_whose_points_share_a_table():
    assert set(SCENARIOS) - set(ROWS) == {"sweep"}


def test_result_tables_hold_the_file_that_each_result_names(monkeypatch):
    monkeypatch.setattr("benchmarks.result_rows.ROWS", {"stages": lambda result: [("seen", result["mark"])]})
    monkeypatch.setattr("benchmarks.result_rows.head_rows", lambda _, file: [("of", file["file"])])
    record = {"scenario": "stages", "files": [FILE, FILE | {"file": "b.onnx"}]}
    record["results"] = [{"file": 1, "mark": "first"}, {"file": 0, "mark": "second"}]
    tables = result_tables(record)
    assert [title for title, _, _ in tables] == ["stages b.onnx", "stages a.onnx"]
    assert tables[0][2] == [("of", "b.onnx"), ("seen", "first")]
    assert all(columns == ("", "") for _, columns, _ in tables)


def test_result_tables_of_a_sweep_are_its_points_and_then_its_growth(monkeypatch):
    monkeypatch.setattr("benchmarks.result_rows.sweep_row", lambda result: (result["size"],))
    monkeypatch.setattr("benchmarks.result_rows.growth_rows", lambda _: [("exponent", "1.00")])
    record = {"scenario": "sweep", "machine": MACHINE, "files": [FILE], "growth": [{"of": "fp32, 1 thread"}]}
    record["results"] = [{"size": "8x8"}, {"size": "16x16"}]
    points, growth = result_tables(record)
    assert points[0] == "sweep on Some CPU, 2 cores; onnxruntime 1.31"
    assert points[2] == [("8x8",), ("16x16",)]
    assert growth == ("growth, fp32, 1 thread", ("", ""), [("exponent", "1.00")])


@pytest.mark.parametrize(("ok", "verdict"), [(True, "passed"), (False, "FAILED")])
def test_gate_rows_shout_what_failed(ok, verdict):
    gate = {"name": "budget: a.onnx", "limit": "p99 <= 5.000 ms", "got": "7.1 ms", "ok": ok}
    (row,) = gate_rows({"gates": [gate]})
    assert dict(zip(GATE_COLUMNS, row, strict=True)) == {
        "gate": "budget: a.onnx",
        "asked": "p99 <= 5.000 ms",
        "got": "7.1 ms",
        "verdict": verdict,
    }
