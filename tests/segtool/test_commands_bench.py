"""`segtool bench` on a tiny file: the record on disk, the table, and what is withheld."""

import hashlib
import json

import pytest

from segtool.__main__ import run


def bench(model_file, tmp_path, *arguments):
    assert run(["bench", str(model_file), "--provider", "cpu", "--json", str(tmp_path / "b.json"), *arguments]) == 0
    return json.loads((tmp_path / "b.json").read_text())


def test_bench_writes_the_record_of_what_it_ran(model_file, tmp_path, capsys):
    record = bench(model_file, tmp_path, "--frames", "70", "--warmup", "2", "--threads", "1")
    assert record["schema_version"] == 1
    assert record["kind"] == "bench"
    assert record["model"]["sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert record["model"]["bytes"] == model_file.stat().st_size
    assert (record["provider"], record["threads"]) == ("cpu", 1)
    assert record["frames"] == {
        "from": "uniform noise, seed 0",
        "measured": 70,
        "warmup": 2,
        "distinct": 32,
        "invalid": 0,
    }
    assert set(record["latency_ms"]["percentiles"]) == {"p50", "p90"}
    assert sum(record["latency_ms"]["histogram"]["counts"]) == 70
    assert record["machine"]["cores"] >= 1
    table = capsys.readouterr().out
    assert "4x4, 7 classes, fp32" in table
    assert "withheld: needs 662 frames" in table


@pytest.mark.parametrize(("frames", "shown"), [(661, False), (662, True)])
def test_bench_shows_p99_from_662_frames_on(model_file, tmp_path, frames, shown):
    record = bench(model_file, tmp_path, "--frames", str(frames), "--warmup", "0")
    assert ("p99" in record["latency_ms"]["percentiles"]) is shown
    assert ("p99" in record["latency_ms"]["withheld"]) is not shown
    assert record["first_frame_ms"] is None


def test_bench_with_data_uses_real_frames(model_file, pairs_folder, tmp_path):
    record = bench(model_file, tmp_path, "--frames", "3", "--data", str(pairs_folder), "--seed", "5")
    assert record["frames"]["from"] == "pairs, val, seed 5"
    assert record["frames"]["distinct"] == 1


@pytest.mark.parametrize("data", [True, False])
def test_bench_of_a_camera_file_for_batches_times_its_calls(write_camera_model, pairs_folder, tmp_path, capsys, data):
    file = write_camera_model(crop=(0, 1, 4, 4), batch=3, confidence={"temperature": 1.0})
    source = ["--data", str(pairs_folder)] if data else []
    record = bench(file, tmp_path, "--frames", "20", "--warmup", "0", *source)
    assert record["model"]["batch"] == 3
    assert record["frames_per_s"] == pytest.approx(60 / record["wall_s"])
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "camera 4x6 bgr, crop 4x4 at 0,1, resize none, labels and confidence at 4x4" in shown
    assert "times of a call with 3 frames" in shown


def test_bench_of_fp16_on_cpu_carries_the_note(write_model, tmp_path, capsys):
    record = bench(write_model("half.onnx", precision="fp16"), tmp_path, "--frames", "1")
    assert "fp32 between casts" in record["notes"][0]
    assert "fp32 between casts" in capsys.readouterr().out


def test_bench_whose_record_can_not_be_written_shows_the_table_and_gives_6(model_file, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert run(["bench", str(model_file), "--frames", "11", "--json", str(tmp_path / "file" / "b.json")]) == 6
    captured = capsys.readouterr()
    assert "p50" in captured.out
    assert "b.json" in captured.err


def test_bench_of_a_missing_file_gives_4(tmp_path, capsys):
    assert run(["bench", str(tmp_path / "absent.onnx")]) == 4
    assert "absent.onnx" in capsys.readouterr().err


def test_bench_with_missing_data_gives_3(model_file, tmp_path, capsys):
    assert run(["bench", str(model_file), "--data", str(tmp_path / "absent")]) == 3
    assert "absent" in capsys.readouterr().err


def test_bench_without_torch_works(segtool_process, model_file):
    done = segtool_process("bench", model_file, "--frames", 11, blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "p50" in done.stdout
