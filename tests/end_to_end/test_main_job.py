"""The whole job through the command line, on scenes small enough for a test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]

TRAIN = ("--size", 64, "--epochs", 2, "--width", 8, "--depth", 2, "--batch-size", 4, "--workers", 1)


@pytest.fixture(scope="module")
def scenes(segtool: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("job") / "scenes"
    assert segtool("data", "synth", out, "--count", 20, "--size", 64).returncode == 0
    return out


@pytest.fixture(scope="module")
def run(segtool: Run, scenes: Path) -> Path:
    run = scenes.parent / "run"
    done = segtool("train", scenes, "--out", run, *TRAIN)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def model(segtool: Run, run: Path) -> Path:
    # an hour of training is not spent here: two epochs leave near ties, which fp32 keeps and fp16 may not
    done = segtool("export", run)
    assert done.returncode == 0, done.stderr
    return run / "model.onnx"


def test_job_data_inspect_finds_what_was_written(segtool: Run, scenes: Path, tmp_path: Path) -> None:
    done = segtool("data", "inspect", scenes, "--json", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {split["name"]: split["frames"] for split in report["splits"]} == {"train": 16, "val": 4}


def test_job_eval_of_run_and_file_agree(segtool: Run, scenes: Path, run: Path, model: Path, tmp_path: Path) -> None:
    for subject, name in ((run, "run.json"), (model, "file.json")):
        done = segtool("eval", subject, scenes, "--json", tmp_path / name)
        assert done.returncode == 0, done.stderr
    from_run, from_file = (json.loads((tmp_path / name).read_text()) for name in ("run.json", "file.json"))
    assert from_file["mean_iou"] == pytest.approx(from_run["mean_iou"], abs=0.002)
    assert from_file["pixels"] == from_run["pixels"]


def test_job_predict_writes_labels_at_the_image_size(segtool: Run, model: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "front.png")
    done = segtool("predict", model, tmp_path / "front.png", "--out", tmp_path / "out", "--overlay")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "front.png") as labels:
        assert labels.size == (150, 90)
        assert np.asarray(labels).max() < 7


def test_job_bench_record_has_percentiles_that_its_frames_allow(segtool: Run, model: Path, tmp_path: Path) -> None:
    done = segtool("bench", model, "--frames", 100, "--json", tmp_path / "bench.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "bench.json").read_text())
    assert set(record["results"][0]["latency_ms"]["percentiles"]) == {"p50", "p90"}


def test_job_inspect_shows_spec_and_seal(segtool: Run, model: Path) -> None:
    done = segtool("inspect", model)
    assert done.returncode == 0, done.stderr
    for word in ("64x64", "vehicle", "fp32", "Conv", "seal"):
        assert word in done.stdout


def test_job_altered_file_is_refused_by_every_command(segtool: Run, scenes: Path, model: Path, tmp_path: Path) -> None:
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 4
    altered = tmp_path / "altered.onnx"
    altered.write_bytes(data)
    for arguments in (("eval", altered, scenes), ("bench", altered), ("inspect", altered)):
        done = segtool(*arguments)
        assert done.returncode == 4
        assert "altered.onnx" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("whole_group", "number"), [(False, signal.SIGINT), (True, signal.SIGINT), (True, signal.SIGTERM)]
)
def test_job_interrupted_training_saves_and_names_the_command_that_goes_on(
    segtool: Run, scenes: Path, tmp_path: Path, whole_group: bool, number: int
) -> None:
    arguments = ["train", str(scenes), "--out", str(tmp_path / "run"), *map(str, TRAIN), "--epochs", "400"]
    process = subprocess.Popen(
        [sys.executable, "-m", "segtool", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    # a terminal's Ctrl-C and a supervisor's SIGTERM reach the loader's workers too
    os.killpg(process.pid, number) if whole_group else process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("interrupted, the state is saved in")
    command = last.partition("go on with: ")[2].split()
    assert command[0] == "segtool"
    epochs = len(metrics.read_text().splitlines())
    done = segtool(*command[1:], "--epochs", epochs + 1)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()] == list(range(1, epochs + 2))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_job_demo_twice_works_and_its_network_too(segtool: Run, tmp_path: Path) -> None:
    import shutil

    tool = shutil.which("segtool", path=str(Path(sys.executable).parent))
    assert tool is not None
    for _ in range(2):
        started = time.monotonic()
        done = subprocess.run(
            [tool, "demo", "--out", str(tmp_path / "demo")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - started < 300
    assert json.loads((tmp_path / "demo" / "eval.fp16.json").read_text())["mean_iou"] > 0.75


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_job_under_a_launcher_trains_once(scenes: Path, tmp_path: Path) -> None:
    launch = ["accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    done = subprocess.run(
        [sys.executable, "-m", *launch, "-m", "segtool", "train", scenes, "--out", tmp_path / "run", *map(str, TRAIN)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best mean IoU") == 1
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert json.loads((tmp_path / "run" / "last.json").read_text())["processes"] == 1
