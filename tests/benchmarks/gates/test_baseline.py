"""Where a baseline and its files go, and which way it is compared; the comparisons are tested beside them."""

import hashlib
import json
from pathlib import Path

import pytest

from benchmarks.gates import baseline
from benchmarks.gates.baseline import against_baseline, save_baseline
from benchmarks.gates.records import read_record
from benchmarks.gates.slowdown import Slowdown
from benchmarks.order import Order
from benchmarks.scenarios.single_stream import SingleStreamSettings
from runtime.errors import DataError, StorageError, UsageError

STEADY = [10.0 + 0.01 * (index % 7) for index in range(200)]


@pytest.fixture
def model(tmp_path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a model")
    return path


@pytest.fixture
def record(make_record, model) -> dict:
    made = make_record(STEADY)
    made["files"][0]["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    return made


@pytest.fixture
def in_turns(monkeypatch) -> list:
    """Stands in for the two Segmenters; keeps what was asked for."""
    asked = []

    def run(old, new, order, max_slowdown, sha256=None):
        asked.append((old, new, max_slowdown, sha256))
        counts = {"old_count": 1, "new_count": 1, "p99_ratio": None}
        return Slowdown(how="interleaved", ratio=1.0, low=0.99, high=1.01, old_ms=1.0, new_ms=1.0, **counts)

    monkeypatch.setattr(baseline, "_in_turns", run)
    return asked


def order_of(*files, scenario="single-stream"):
    return Order(scenario=scenario, settings=SingleStreamSettings(), files=files, threads=(1,))


def test_save_baseline_writes_record_and_file_under_its_hash(tmp_path, record, model):
    save_baseline(tmp_path / "base.json", record, [model])
    assert read_record(tmp_path / "base.json") == json.loads(json.dumps(record))
    copy = tmp_path / f"base.{record['files'][0]['sha256'][:12]}.onnx"
    assert copy.read_bytes() == model.read_bytes()


def test_save_baseline_that_can_not_copy_the_file_names_it(tmp_path, record, model):
    model.unlink()
    with pytest.raises(StorageError, match=r"base\.\w{12}\.onnx: a copy of .*model\.onnx.*No such file"):
        save_baseline(tmp_path / "base.json", record, [model])


def test_save_baseline_of_a_scenario_without_latencies_writes_nothing(tmp_path, record, model):
    with pytest.raises(UsageError, match="'soak'"):
        save_baseline(tmp_path / "base.json", record | {"scenario": "soak"}, [model])
    assert not (tmp_path / "base.json").exists()


def test_against_baseline_with_its_file_at_hand_runs_both_in_turns(tmp_path, record, model, in_turns):
    save_baseline(tmp_path / "base.json", record, [model])
    found = against_baseline(tmp_path / "base.json", order_of(model), record, 0.02, allow_different=False)
    sha256 = record["files"][0]["sha256"]
    assert in_turns == [(tmp_path / f"base.{sha256[:12]}.onnx", model, 0.02, sha256)]
    assert (found.slowdowns[0].how, found.notes) == ("interleaved", ())


def test_against_baseline_whose_file_is_gone_compares_stored_times_and_says_so(tmp_path, record, model, in_turns):
    save_baseline(tmp_path / "base.json", record, [model])
    (tmp_path / f"base.{record['files'][0]['sha256'][:12]}.onnx").unlink()
    slower = record | {"results": [{"file": 0, "samples_ms": [1.5 * value for value in STEADY]}]}
    found = against_baseline(tmp_path / "base.json", order_of(model), slower, 0.05, allow_different=False)
    assert in_turns == []
    assert (found.slowdowns[0].how, found.slowdowns[0].verdict(0.05)) == ("stored", "worse")
    assert found.slowdowns[0].ratio == pytest.approx(1.5, abs=0.01)
    assert "two runs apart" in found.notes[-1]


def test_against_baseline_of_another_machine_never_takes_turns(tmp_path, make_record, record, model, in_turns):
    save_baseline(tmp_path / "base.json", record, [model])
    here = record | {"machine": record["machine"] | {"cpu": "Another CPU"}}
    with pytest.raises(UsageError, match=r"Some CPU \| Another CPU"):
        against_baseline(tmp_path / "base.json", order_of(model), here, 0.05, allow_different=False)
    found = against_baseline(tmp_path / "base.json", order_of(model), here, 0.05, allow_different=True)
    assert in_turns == []
    assert found.slowdowns[0].how == "stored"
    assert any("Another CPU" in note for note in found.notes)


def test_against_an_old_file_runs_it_in_turns_with_the_only_new_one(tmp_path, record, model, in_turns, monkeypatch):
    old = tmp_path / "old.onnx"
    monkeypatch.setattr(baseline, "load_model_file", lambda path: path)
    against_baseline(old, order_of(model), record, 0.05, allow_different=False)
    assert in_turns == [(old, model, 0.05, None)]
    with pytest.raises(UsageError, match=r"old\.onnx: one new file was expected.*got 2"):
        against_baseline(old, order_of(model, model), record, 0.05, allow_different=False)


def test_against_baseline_that_is_not_there_is_refused(tmp_path, record, model):
    with pytest.raises(DataError, match=r"absent\.json"):
        against_baseline(tmp_path / "absent.json", order_of(model), record, 0.05, allow_different=False)
