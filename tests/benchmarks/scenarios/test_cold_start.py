"""Real starts of a tiny file against clocks of this test, and a planted sleep that no part sees."""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

import pytest

from benchmarks.scenarios import cold_start
from benchmarks.scenarios.child import ROOT, ChildReport
from benchmarks.scenarios.cold_start import (
    CHILD,
    ColdStartSettings,
    cold_start_gate,
    cold_start_notes,
    cold_start_rows,
    measure_cold_start,
)
from runtime.errors import DeviceError, UsageError
from runtime.options import EngineOptions

from .tiny_file import write_tiny

OPTIONS = EngineOptions(threads=1)


def settings(repeats: int) -> ColdStartSettings:
    return ColdStartSettings(provider="cpu", options=OPTIONS, repeats=repeats)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "model.onnx")


def missed_share(script: Path, model: Path) -> float:
    """Of a start, by a clock that nothing in the package reads (CLOCK_BOOTTIME), the share that no part has."""
    asked = json.dumps({"path": str(model), "provider": "cpu", "options": asdict(OPTIONS)})
    spawned_ns, begun_ns = time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    command = [sys.executable, "-P", str(script), asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as child:
        said = json.loads(child.stdout.readline())
        outside_ms = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - begun_ns) / 1e6
    interpreter_ms = (said["began_ns"] - spawned_ns) / 1e6
    parts_ms = [interpreter_ms, said["import_ms"], *said["steps_ms"].values(), said["first_frame_ms"]]
    assert all(part >= 0 for part in parts_ms)
    return abs(outside_ms - sum(parts_ms)) / outside_ms


@pytest.fixture
def sleeping_child(tmp_path: Path) -> Path:
    """The child with 100 ms between being imported and opening the file, where no part looks."""
    text = CHILD.read_text()
    planted = text.replace("    events: list[Event] = []\n", "    events: list[Event] = []\n    time.sleep(0.1)\n")
    assert planted != text
    (tmp_path / "child.py").write_text(planted)
    return tmp_path / "child.py"


def test_cold_start_parts_add_up_to_an_outside_clock(tiny: Path) -> None:
    assert median(missed_share(CHILD, tiny) for _ in range(5)) < 0.02


def test_cold_start_time_that_no_part_has_shows_to_an_outside_clock(tiny: Path, sleeping_child: Path) -> None:
    assert missed_share(sleeping_child, tiny) > 0.02


def test_cold_start_result_has_all_parts_of_one_start(tiny: Path) -> None:
    told: list[int] = []
    result = measure_cold_start(tiny, settings(3), told.append)
    assert list(result["parts_ms"]) == ["interpreter", "import", "session", "warm-up", "self-test", "first frame"]
    assert all(part > 0 for part in result["parts_ms"].values())
    assert result["sum_ms"] == pytest.approx(sum(result["parts_ms"].values()))
    assert result["outside_ms"] == median(result["starts_ms"])
    assert len(told) == 4
    assert result["file_cache"].startswith("warm")
    assert dict(cold_start_rows(result))["by an outside clock"].endswith("median of 3 starts")


def test_cold_start_parts_that_do_not_add_up_are_noted(
    tiny: Path, sleeping_child: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "CHILD", sleeping_child)
    result = measure_cold_start(tiny, settings(1))
    assert result["outside_ms"] - result["sum_ms"] >= 100
    (note,) = cold_start_notes(result)
    assert "measure again on a quiet machine" in note


@pytest.mark.parametrize(("sum_ms", "notes"), [(980.0, 0), (979.0, 1), (1020.0, 0), (1021.0, 1)])
def test_cold_start_notes_begin_at_two_per_cent_either_way(sum_ms: float, notes: int) -> None:
    assert len(cold_start_notes({"outside_ms": 1000.0, "sum_ms": sum_ms})) == notes


def report(outside_ms: int, import_ms: float) -> ChildReport:
    said = {
        "began_ns": 20_000_000,
        "import_ms": import_ms,
        "steps_ms": {"file": 1.0, "session": 2.0, "warm-up": 5.0, "self-test": 6.0, "placement": 4.0},
        "first_frame_ms": 8.0,
        "valid": True,
        "provider": "cpu",
    }
    return ChildReport(said=said, spawned_ns=0, received_ns=outside_ms * 1_000_000)


def test_cold_start_takes_the_parts_of_the_start_with_the_median_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = iter([report(900, 1.0), report(70, 30.0), report(90, 50.0), report(60, 20.0), report(500, 9.0)])
    monkeypatch.setattr(cold_start, "run_child", lambda *_: next(reports))
    result = measure_cold_start(Path("model.onnx"), settings(4))
    expected = {"interpreter": 20, "import": 30, "session": 7, "warm-up": 5, "self-test": 6, "first frame": 8}
    assert result["parts_ms"] == expected  # of the 70 ms, the lower of the two in the middle; the 900 ms do not count
    assert (result["sum_ms"], result["outside_ms"], result["first_ms"]) == (76, 70, 900)
    assert result["starts_ms"] == [70, 90, 60, 500]


@pytest.mark.parametrize(("budget_ms", "ok"), [(69.9, False), (70.0, True), (71.0, True)])
def test_cold_start_gate_is_at_its_budget(budget_ms: float, *, ok: bool) -> None:
    gate = cold_start_gate({"outside_ms": 70.0}, budget_ms)
    assert gate == {
        "name": "ready", "limit": f"first valid mask within {budget_ms:g} ms", "got": "70.0 ms", "ok": ok,
    }  # fmt: skip


def test_cold_start_without_a_valid_first_mask_is_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "model.onnx", invalid=True)
    with pytest.raises(DeviceError, match=r"model\.onnx: expected a first mask without label 255 on provider 'cpu'"):
        measure_cold_start(path, settings(1))


def test_cold_start_of_a_file_that_does_not_open_says_why(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="nothing of that name"):
        measure_cold_start(tmp_path / "absent.onnx", settings(1))


def test_cold_start_without_repeats_is_refused() -> None:
    with pytest.raises(UsageError, match="got 0"):
        settings(0)
