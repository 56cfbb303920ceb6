"""`segtool bench` on a tiny file: each scenario's record, tables and page, what is refused, and the gates."""

import hashlib
import json

import pytest

from benchmarks.gates.records import read_record
from runtime.errors import StorageError
from segtool.__main__ import run
from segtool.bench_flags import READ_BY, SPECIAL

VALUES = {"rate": "10", "budget_ms": "5", "cameras": "2", "load": "cpu=1", "frames": "9", "warmup": "1"} | {
    "min_duration_s": "0.1",
    "repeats": "2",
    "seed": "3",
    "cache": "engines",
    "ready_budget_ms": "9",
    "run": "runs/a",
    "sizes": "8x8",
    "peers": "openvino",
}
UNREAD = [(scenario, flag) for scenario, read in READ_BY.items() for flag in sorted(SPECIAL - set(read))]


def bench(model_file, tmp_path, *arguments, code=0):
    assert run(["bench", str(model_file), "--provider", "cpu", "--json", str(tmp_path / "b.json"), *arguments]) == code
    return read_record(tmp_path / "b.json")


def test_bench_writes_the_record_of_what_it_ran(model_file, tmp_path, capsys):
    record = bench(model_file, tmp_path, "--frames", "70", "--warmup", "2", "--threads", "1")
    assert (record["schema_version"], record["kind"], record["scenario"]) == (2, "bench", "single-stream")
    (file,), (result,) = record["files"], record["results"]
    assert file["sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert (file["bytes"], file["provider"], file["threads"]) == (model_file.stat().st_size, "cpu", 1)
    assert file["placement"]["provider"] == "cpu"
    assert record["frames"] == {"from": "uniform noise, seed 0", "distinct": 32}
    assert (result["file"], result["frames"], len(result["samples_ms"])) == (0, 70, 70)
    assert set(result["latency_ms"]["percentiles"]) == {"p50", "p90"}
    assert sum(result["latency_ms"]["histogram"]["counts"]) == 70
    assert record["state"]["before"]["uptime_s"] <= record["state"]["after"]["uptime_s"]
    table = capsys.readouterr().out
    assert "4x4, 7 classes, fp32" in table
    assert "withheld: needs 662 frames" in table


@pytest.mark.parametrize(("frames", "shown"), [(661, False), (662, True)])
def test_bench_shows_p99_from_662_frames_on(model_file, tmp_path, frames, shown):
    (result,) = bench(model_file, tmp_path, "--frames", str(frames), "--warmup", "0")["results"]
    assert ("p99" in result["latency_ms"]["percentiles"]) is shown
    assert ("p99" in result["latency_ms"]["withheld"]) is not shown
    assert result["first_frame_ms"] is None


def test_bench_with_data_uses_real_frames_and_tells_how_right_the_file_is(model_file, pairs_folder, tmp_path, capsys):
    record = bench(model_file, tmp_path, "--frames", "3", "--data", str(pairs_folder), "--seed", "5")
    assert record["frames"] == {"from": "pairs, val, seed 5", "distinct": 1}
    accuracy = record["files"][0]["accuracy"]
    assert (accuracy["data"], accuracy["split"], accuracy["frames"]) == ("pairs", "val", 1)
    assert 0 <= accuracy["worst_class"]["iou"] <= accuracy["mean_iou"] <= 1
    assert "mean IoU" in capsys.readouterr().out


@pytest.mark.parametrize("data", [True, False])
def test_bench_of_a_camera_file_for_batches_times_its_calls(write_camera_model, pairs_folder, tmp_path, capsys, data):
    file = write_camera_model(crop=(0, 1, 4, 4), batch=3, confidence={"temperature": 1.0})
    source = ["--data", str(pairs_folder)] if data else []
    record = bench(file, tmp_path, "--frames", "20", "--warmup", "0", *source)
    (result,) = record["results"]
    assert record["files"][0]["batch"] == 3
    assert result["frames_per_s"] == pytest.approx(60 / result["wall_s"])
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "camera 4x6 bgr, crop 4x4 at 0,1, resize none, labels and confidence at 4x4" in shown
    assert "times of a call with 3 frames" in shown


def test_bench_of_fp16_on_cpu_carries_the_note(write_model, tmp_path, capsys):
    record = bench(write_model("half.onnx", precision="fp16"), tmp_path, "--frames", "1")
    assert "fp32 between casts" in record["notes"][0]
    assert "fp32 between casts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scenario", "arguments", "key"),
    [
        ("camera", ["--frames", "5", "--rate", "200", "--cameras", "2", "--load", "cpu=1"], "holds"),
        ("offline", ["--frames", "20", "--repeats", "2"], "frames_per_s"),
        ("cold-start", ["--repeats", "1"], "parts_ms"),
        ("soak", ["--frames", "120"], "slope_kb_per_1000"),
        ("stages", ["--frames", "20"], "nodes"),
        ("sweep", ["--frames", "12", "--repeats", "1", "--threads", "1,2"], "ms_per_megapixel"),
    ],
)
def test_bench_runs_every_scenario_and_draws_its_page(model_file, tmp_path, capsys, scenario, arguments, key):
    page = tmp_path / "page.html"
    record = bench(model_file, tmp_path, "--scenario", scenario, *arguments, "--html", str(page))
    assert record["scenario"] == scenario
    assert len(record["results"]) == (2 if scenario == "sweep" else 1)
    assert all(key in result and result["file"] == 0 for result in record["results"])
    question = "Does it hold the camera" if scenario == "camera" else "What was found"
    assert question in page.read_text()
    assert model_file.name in page.read_text()
    assert scenario in capsys.readouterr().out


def test_bench_of_several_files_has_a_result_of_each(model_file, write_model, tmp_path, capsys):
    other = write_model("other.onnx")
    record = bench(model_file, tmp_path, str(other), "--frames", "11", "--budget-ms", "1000", code=1)
    assert [result["file"] for result in record["results"]] == [0, 1]
    assert [file["file"] for file in record["files"]] == [model_file.name, "other.onnx"]
    assert [gate["name"] for gate in record["gates"]] == [f"budget: {model_file.name}", "budget: other.onnx"]
    assert "p99 needs 662 frames" in capsys.readouterr().err


@pytest.mark.parametrize(("budget", "code"), [("1000", 0), ("0.000001", 1)])
def test_bench_over_its_budget_gives_1_and_says_what_came(model_file, tmp_path, capsys, budget, code):
    record = bench(model_file, tmp_path, "--frames", "662", "--budget-ms", budget, code=code)
    assert [gate["ok"] for gate in record["gates"]] == [code == 0]
    captured = capsys.readouterr()
    assert ("FAILED" in captured.out) is (code == 1)
    assert ("budget: p99 <= 0.000 ms was asked, got" in captured.err) is (code == 1)


def test_bench_of_a_start_that_takes_too_long_gives_1(model_file, tmp_path):
    record = bench(model_file, tmp_path, "--scenario", "cold-start", "--repeats", "1", "--ready-budget-ms", "1", code=1)
    assert record["gates"][0]["limit"] == "first valid mask within 1 ms"


def test_bench_against_its_own_baseline_runs_both_in_turns(model_file, tmp_path, capsys):
    base = tmp_path / "base.json"
    record = bench(model_file, tmp_path, "--frames", "120", "--save", str(base))
    copy = tmp_path / f"base.{record['files'][0]['sha256'][:12]}.onnx"
    assert copy.read_bytes() == model_file.read_bytes()
    capsys.readouterr()
    again = bench(model_file, tmp_path, "--frames", "120", "--against", str(base), "--max-slowdown", "90%")
    assert [gate["ok"] for gate in again["gates"]] == [True]
    assert "interleaved" in again["gates"][0]["got"]
    assert "against the baseline" in capsys.readouterr().out


def test_bench_against_a_baseline_whose_file_was_altered_gives_4(model_file, tmp_path, capsys):
    record = bench(model_file, tmp_path, "--frames", "120", "--save", str(tmp_path / "base.json"))
    copy = tmp_path / f"base.{record['files'][0]['sha256'][:12]}.onnx"
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    assert run(["bench", str(model_file), "--frames", "120", "--against", str(tmp_path / "base.json")]) == 4
    assert copy.name in capsys.readouterr().err


def test_bench_against_another_machine_is_refused_unless_told(model_file, tmp_path, capsys):
    base = tmp_path / "base.json"
    record = bench(model_file, tmp_path, "--frames", "120", "--save", str(base))
    record["machine"]["cpu"] = "Another CPU"
    base.write_text(json.dumps(record))
    arguments = ["--frames", "120", "--against", str(base), "--max-slowdown", "90%"]
    assert run(["bench", str(model_file), *arguments]) == 2
    assert "Another CPU" in capsys.readouterr().err
    assert run(["bench", str(model_file), *arguments, "--allow-different"]) in (0, 1)  # stored times: may prove nothing
    shown = capsys.readouterr().out
    assert "Another CPU" in shown
    assert "two runs apart" in shown


def test_bench_saves_no_baseline_that_a_gate_refused(model_file, tmp_path):
    base = tmp_path / "base.json"
    bench(model_file, tmp_path, "--frames", "20", "--budget-ms", "1000", "--save", str(base), code=1)
    assert not base.exists()


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--load", "cpu=1"], "load beside it"), (["--seed", "9"], "frames: uniform noise, seed 0")]
)
def test_bench_under_other_load_or_on_other_frames_is_not_compared(model_file, tmp_path, capsys, arguments, told):
    base = tmp_path / "base.json"
    bench(model_file, tmp_path, "--frames", "120", "--save", str(base))
    assert run(["bench", str(model_file), "--frames", "120", "--against", str(base), *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--scenario", "cold-start", "--data", "absent"], 3),
        (["--with", "absent.json", "--html", "page.html"], 3),
        (["--markdown", "absent.md"], 3),
        (["--against", "absent.json"], 3),
    ],
)
def test_bench_finds_a_wrong_path_before_it_measures(model_file, monkeypatch, capsys, arguments, code):
    monkeypatch.setattr("benchmarks.suite.SCENARIOS", {})  # whoever measures fails with a KeyError
    assert run(["bench", str(model_file), *arguments]) == code
    assert "absent" in capsys.readouterr().err


def test_bench_against_the_old_file_itself(model_file, write_model, tmp_path):
    record = bench(
        model_file, tmp_path, "--frames", "20", "--against", str(write_model("old.onnx")), "--max-slowdown", "90%"
    )
    assert "interleaved" in record["gates"][0]["got"]


def test_bench_renews_its_table_in_a_markdown_file(model_file, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench:single-stream -->\nold\n<!-- /bench:single-stream -->\nafter\n")
    bench(model_file, tmp_path, "--frames", "11", "--markdown", str(readme))
    text = readme.read_text()
    assert model_file.name in text
    assert "old" not in text
    assert (text.startswith("before\n"), text.endswith("after\n")) == (True, True)


def test_bench_puts_earlier_records_onto_the_page(model_file, tmp_path):
    bench(model_file, tmp_path, "--scenario", "stages", "--frames", "20")
    page = tmp_path / "page.html"
    arguments = ["--frames", "11", "--html", str(page), "--with", str(tmp_path / "b.json")]
    assert run(["bench", str(model_file), *arguments]) == 0
    assert "single-stream, stages" in page.read_text()


@pytest.mark.parametrize(("scenario", "flag"), UNREAD)
def test_bench_refuses_a_flag_that_the_scenario_does_not_read(model_file, capsys, scenario, flag):
    written = f"--{flag.replace('_', '-')}"
    assert run(["bench", str(model_file), "--scenario", scenario, written, VALUES[flag]]) == 2
    assert written in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "stages", "--save", "b.json"], "--save"),
        (["--scenario", "offline", "--against", "b.json"], "--against"),
        (["--max-slowdown", "5%"], "--max-slowdown"),
        (["--with", "b.json"], "--with"),
        (["--threads", "1,2"], "--threads"),
        (["--scenario", "sweep", "--threads", "1,1"], "each once"),
        (["--provider", "cpu,auto"], "--provider"),
        (["--scenario", "sweep", "--provider", "cpu,cpu"], "each once"),
        (["--split", "train"], "--data"),
        (["--scenario", "camera", "--load", "cpu=many"], "cpu=many"),
        (["--scenario", "peers", "--peers", "abacus"], "abacus"),
        (["--scenario", "sweep", "--sizes", "8x8"], "--run"),
        (["--scenario", "soak", "--frames", "20"], "100"),
    ],
)
def test_bench_refuses_what_does_not_go_together(model_file, capsys, arguments, told):
    assert run(["bench", str(model_file), *arguments]) == 2
    assert told in capsys.readouterr().err


def test_bench_whose_record_can_not_be_written_shows_the_table_and_gives_6(model_file, tmp_path, capsys, monkeypatch):
    def fill_the_disk(path, _record):
        raise StorageError(f"{path}: disk full")

    monkeypatch.setattr("trainer.json_file.write_json", fill_the_disk)
    assert run(["bench", str(model_file), "--frames", "11", "--json", str(tmp_path / "b.json")]) == 6
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
