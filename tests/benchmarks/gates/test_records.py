"""Records as they are written, and as accidents leave them."""

import json

import numpy as np
import pytest

from benchmarks.gates.records import read_record, recorded_samples
from runtime.errors import DataError, UsageError
from trainer.json_file import write_json


def test_read_record_gives_back_what_was_written(tmp_path, make_record):
    path = tmp_path / "baseline.json"
    write_json(path, make_record([1.5, 2.5]))
    assert read_record(path) == make_record([1.5, 2.5])


def test_read_record_of_an_absent_file_names_it(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: a bench record was expected, got No such file.*; measure"):
        read_record(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "Expecting value"),
        (b'{"kind": "bench"', "Expecting ',' delimiter"),
        (b"\xff\xfe", "can't decode byte 0xff"),
        (b"[1, 2]", "got 'list'"),
        (b'{"kind": "eval"}', "got 'eval'"),
        (b'{"kind": "bench"}', "schema_version 2 was expected, got None"),
        (b'{"kind": "bench", "schema_version": true}', "got True"),
        (b'{"kind": "bench", "schema_version": 3}', "got the newer 3; use the segtool that wrote it"),
        (b'{"kind": "bench", "schema_version": 1}', "got the older 1; measure it again"),
        (b'{"kind": "bench", "schema_version": 2}', "a str was expected at 'scenario', got nothing"),
        (b'{"x": NaN}', "got the number NaN"),
        (b'{"x": -Infinity}', "got the number -Infinity"),
        (b'{"x": 1e999}', "got the number 1e999"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_read_record_refuses_what_is_none(tmp_path, data, told):
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.json: ") as caught:
        read_record(tmp_path / "bad.json")
    assert told in str(caught.value)


@pytest.mark.parametrize("key", ["files", "machine", "state", "results"])
def test_read_record_refuses_a_part_of_another_type(tmp_path, make_record, key):
    (tmp_path / "bad.json").write_text(json.dumps(make_record() | {key: "text"}))
    with pytest.raises(DataError, match=f"was expected at '{key}', got str"):
        read_record(tmp_path / "bad.json")


@pytest.mark.parametrize("key", ["files", "results"])
def test_read_record_refuses_entries_that_are_no_objects(tmp_path, make_record, key):
    (tmp_path / "bad.json").write_text(json.dumps(make_record() | {key: [{}, 7]}))
    with pytest.raises(DataError, match=f"objects were expected at '{key}', got int at 1"):
        read_record(tmp_path / "bad.json")


@pytest.mark.parametrize("scenario", ["single-stream", "camera"])
def test_recorded_samples_are_in_order(make_record, scenario):
    samples = recorded_samples(make_record([3.0, 1.0, 2], scenario), "new")
    assert len(samples) == 1
    np.testing.assert_array_equal(samples[0], [3.0, 1.0, 2.0])
    assert samples[0].dtype == np.float64


def test_recorded_samples_of_a_scenario_without_them_are_refused(make_record):
    with pytest.raises(UsageError, match=r"old: a record of single-stream or camera was expected.*got 'soak'"):
        recorded_samples(make_record(scenario="soak"), "old")


@pytest.mark.parametrize(
    ("samples", "told"),
    [([], "got none"), ([1.0, 0.0], r"got 0\.0"), ([1.0, True], "got True"), ([1.0, "2"], "got '2'"), ([-1], "got -1")],
)
def test_recorded_samples_that_are_no_times_are_refused(make_record, samples, told):
    with pytest.raises(DataError, match=f"old, result 0: .*{told}"):
        recorded_samples(make_record(samples), "old")
