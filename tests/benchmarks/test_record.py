"""The record's shape, its notes, and the rows that stand above a result."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.record import bench_record, busy_notes, file_record, head_rows

MACHINE = {
    "cpu": "Some CPU",
    "cores_usable": 2,
    "gpus": ["T4, 570.1, 15360 MiB"],
    "packages": {"onnxruntime": "1.31"},
    "load_average": [0.5, 9.0, 9.0],
}
ACCURACY = {"data": "x", "split": "val", "frames": 3, "mean_iou": 0.5, "worst_class": {"name": "sky", "iou": 0.25}}


@pytest.fixture
def file_of(stub_segmenter, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 2_000_000)

    def make(accuracy=None, **spec):
        segmenter = stub_segmenter(**spec)
        segmenter.placement = lambda: SimpleNamespace(to_dict=lambda: {"provider": "cpu"})
        return file_record(segmenter, path, accuracy)

    return make


def record_of(file, **changes):
    parts = {
        "scenario": "stages",
        "files": [file],
        "frames": {"from": "noise", "distinct": 2},
        "results": [{"file": 0}],
    }
    return bench_record(**parts | {"machine": MACHINE, "before": {"a": 1}, "after": {"a": 2}} | changes)


def test_bench_record_is_json_with_its_schema(file_of):
    record = record_of(file_of(ACCURACY), growth=[{"exponent": 1.0}])
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert (record["schema_version"], record["kind"], record["scenario"]) == (2, "bench", "stages")
    assert record["state"] == {"before": {"a": 1}, "after": {"a": 2}}
    assert (record["growth"], record["gates"]) == ([{"exponent": 1.0}], [])
    assert record["files"][0]["options"]["spinning"] is True


def test_bench_record_notes_stand_once_each(file_of):
    file = file_of(precision="fp16")
    record = record_of(file, files=[file, file], notes=["hot"])
    assert len(record["notes"]) == 2
    assert "fp32 between casts" in record["notes"][0]
    assert record["notes"][1] == "hot"


@pytest.mark.parametrize(
    ("parity", "told"),
    [
        (None, None),
        ({"passed": True}, None),
        ({"passed": True, "agreement": 0.99, "frames": 5, "x": 1}, {"passed": True, "agreement": 0.99, "frames": 5}),
    ],
)
def test_file_record_takes_of_the_proof_what_a_table_shows(file_of, parity, told):
    assert file_of(parity=parity)["parity"] == told


def test_head_rows_say_file_machine_frames_and_accuracy(file_of):
    record = record_of(file_of(ACCURACY))
    rows = dict(head_rows(record, record["files"][0]))
    assert rows["network"] == "6x4, 7 classes, fp32"
    assert rows["machine"] == "Some CPU, 2 cores, T4, 570.1, 15360 MiB; onnxruntime 1.31"
    assert rows["frames"] == "2 different: noise"
    assert rows["mean IoU"] == "0.5000, worst class sky 0.2500, 3 frames of x, val"
    assert "mean IoU" not in dict(head_rows(record, file_of()))


@pytest.mark.parametrize(
    ("load", "cores", "busy"), [([2.0], 2, False), ([2.1], 2, True), (None, 2, False), ([9.0], None, False)]
)
def test_busy_notes_speak_where_more_runs_than_there_are_cores(load, cores, busy):
    notes = busy_notes({"load_average": load, "cores_usable": cores})
    assert [("load average 2.1 on 2 cores" in note) for note in notes] == [True] * busy
