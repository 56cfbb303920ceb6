"""The record's shape, what it withholds, and its table."""

import json

import numpy as np
import pytest

from benchmarks.latency import LatencyRun
from benchmarks.report import (
    HISTOGRAM_BINS,
    bench_record,
    bench_rows,
    busy_notes,
    histogram,
    latency_summary,
)
from runtime.camera import CameraSpec

MACHINE = {
    "cpu": "Some CPU",
    "cores_usable": 2,
    "gpus": ["T4, 570.1, 15360 MiB"],
    "packages": {"onnxruntime": "1.31"},
    "load_average": [0.5, 9.0, 9.0],
}


@pytest.fixture
def record_of(stub_segmenter, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x" * 2_000_000)

    def make(samples_ms, *, invalid=0, warmup_ms=(9.0, 3.0), **spec):
        run = LatencyRun(
            samples_ms=np.asarray(samples_ms, np.float64),
            wall_s=2.0,
            warmup_frames=len(warmup_ms),
            warmup_ms=np.asarray(warmup_ms, np.float64),
            distinct_frames=2,
            invalid_frames=invalid,
        )
        segmenter = stub_segmenter(**spec)
        return bench_record(segmenter, file, run, frames_from="noise", load_ms=12.5, machine=MACHINE)

    return make


def test_latency_summary_withholds_p99_at_661_frames_and_shows_it_at_662():
    samples = np.arange(1.0, 663.0)
    short, enough = latency_summary(samples[:661]), latency_summary(samples)
    assert set(short["percentiles"]) == {"p50", "p90"}
    assert short["withheld"] == {"p99": 662, "p99.9": 6636}
    assert enough["percentiles"] == {"p50": 331.0, "p90": 596.0, "p99": 656.0}
    assert enough["withheld"] == {"p99.9": 6636}


def test_latency_summary_of_one_frame_has_no_percentile():
    summary = latency_summary(np.array([4.0]))
    assert summary["percentiles"] == {}
    assert (summary["min"], summary["mean"], summary["max"]) == (4.0, 4.0, 4.0)


def test_histogram_counts_every_sample_once():
    samples = np.random.default_rng(0).lognormal(size=1000)
    counted = histogram(samples)
    assert sum(counted["counts"]) == 1000
    assert len(counted["edges_ms"]) == HISTOGRAM_BINS + 1
    assert (counted["edges_ms"][0], counted["edges_ms"][-1]) == (samples.min(), samples.max())


def test_histogram_of_equal_samples_counts_them_all():
    assert sum(histogram(np.full(7, 0.3))["counts"]) == 7


def test_bench_record_is_json_with_its_schema(record_of):
    record = record_of(np.linspace(1, 2, 100))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == [
        "schema_version",
        "kind",
        "time_utc",
        "model",
        "provider",
        "threads",
        "notes",
        "frames",
        "load_ms",
        "first_frame_ms",
        "latency_ms",
        "wall_s",
        "frames_per_s",
        "machine",
    ]
    assert record["model"] == {
        "file": "model.onnx",
        "sha256": "ab" * 32,
        "bytes": 2_000_000,
        "precision": "fp32",
        "width_px": 6,
        "height_px": 4,
        "classes": 7,
        "batch": 1,
        "camera": None,
        "labels_width_px": 6,
        "labels_height_px": 4,
        "confidence": False,
    }
    assert record["frames"] == {"from": "noise", "measured": 100, "warmup": 2, "distinct": 2, "invalid": 0}
    assert record["first_frame_ms"] == 9.0
    assert record["frames_per_s"] == 50.0


def test_bench_rows_show_sizes_as_width_by_height_and_what_is_withheld(record_of):
    rows = dict(bench_rows(record_of(np.full(100, 1.5), invalid=3)))
    assert rows["network"] == "6x4, 7 classes, fp32"
    assert rows["p90"] == "1.50 ms"
    assert rows["p99"] == "withheld: needs 662 frames"
    assert rows["no valid answer"] == "3 of 100 frames"
    assert rows["machine"] == "Some CPU, 2 cores, T4, 570.1, 15360 MiB; onnxruntime 1.31"
    assert "note" not in rows


def test_bench_rows_of_a_camera_file_for_batches_say_what_is_timed(record_of):
    yuv = {"yuv_matrix": "bt709", "yuv_range": "limited"}
    camera = CameraSpec(height_px=10, width_px=12, layout="nv12", crop=(0, 2, 12, 8), resize="products", **yuv)
    changes = {"labels_at": "camera", "confidence": {"temperature": 1.0}, "batch": 6}
    record = record_of(np.full(100, 1.5), camera=camera, **changes)
    assert record["model"]["camera"]["crop"] == (0, 2, 12, 8)
    rows = dict(bench_rows(record))
    assert rows["camera"] == "12x10 nv12, crop 12x8 at 0,2, resize products, labels and confidence at 12x8"
    assert rows["times"] == "of a call with 6 frames"


def test_bench_record_without_warmup_has_no_first_frame(record_of):
    record = record_of([1.0], warmup_ms=())
    assert record["first_frame_ms"] is None
    assert "first frame" not in dict(bench_rows(record))


def test_bench_record_of_fp16_on_cpu_says_that_it_may_run_in_fp32(record_of):
    record = record_of([1.0], precision="fp16")
    assert "fp32 between casts" in record["notes"][0]
    assert dict(bench_rows(record))["note"] == record["notes"][0]


@pytest.mark.parametrize(
    ("load", "cores", "busy"), [([2.0], 2, False), ([2.1], 2, True), (None, 2, False), ([9.0], None, False)]
)
def test_busy_notes_speak_where_more_runs_than_there_are_cores(load, cores, busy):
    notes = busy_notes({"load_average": load, "cores_usable": cores})
    assert [("load average 2.1 on 2 cores" in note) for note in notes] == [True] * busy
