"""Two processes on the CPU (gloo), started as README.md says: one run, one writer, no image twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer.checkpoint import load_checkpoint
from trainer.data.dataset import open_dataset
from trainer.evaluate import load_trained, predict_batches
from trainer.loader import plain_loader

LAUNCH = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1")
PLAIN = ("--mixed_precision", "no", "--dynamo_backend", "no")

# runs in both processes; each writes down what it saw
SCRIPT = """
import json, os, signal, sys
from pathlib import Path

import torch
import trainer.loader, trainer.steps, trainer.validation
from runtime.metrics import confusion_matrix
from trainer.settings.config import TrainConfig
from trainer.data.dataset import open_dataset
from trainer.display import TrainDisplay
from trainer.settings.fit_options import FitOptions
from trainer.loop import fit
from trainer.networks.unet import UNetConfig
from trainer.learning.optimise import OptimiserConfig

if __name__ == "__main__":
    data, out, rank = Path(sys.argv[1]), Path(sys.argv[2]), int(os.environ["RANK"])
    config = TrainConfig(
        height_px=64, width_px=64, batch_size=2, accumulate=2, epochs=2, precision="no", ema=0.5,
        network=UNetConfig(width=4, depth=2), optimiser=OptimiserConfig(learning_rate=1e-2, clip_norm=1.0),
    )
    source, options = open_dataset(data), FitOptions(panel_every=0)
    seen, scored, writes = [], [], []

    read, plain = trainer.loader.read_augmented, trainer.loader.read_plain
    trainer.loader.read_augmented = lambda source, config, key: (seen.append(key), read(source, config, key))[1]
    trainer.loader.read_plain = lambda source, split, size, key: (
        scored.append(key[1]), plain(source, split, size, key))[1]
    count = trainer.validation.confusion_matrix
    confusion = []

    def counted(truth, predicted, classes):
        confusion.append(count(truth, predicted, classes))
        return confusion[-1]

    trainer.validation.confusion_matrix = counted
    fit(config, source, out / "straight", options)
    report = {"seen": seen[:], "scored": scored[:], "confusion": sum(confusion[len(confusion) // 2 :]).tolist()}

    step, steps = TrainDisplay.step, 0

    def stopping(self, *arguments):  # the second process alone is told to stop
        global steps
        steps += 1
        step(self, *arguments)
        if steps == 2 and rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    TrainDisplay.step = stopping
    report["interrupted_by"] = fit(config, source, out / "stopped", options).interrupted_by
    TrainDisplay.step = step
    fit(config, source, out / "stopped", FitOptions(panel_every=0, resume=True))

    honest, losses = trainer.steps.batch_loss, 0

    def poisoned(*arguments):  # a bad number in the second process alone
        global losses
        losses += 1
        loss = honest(*arguments)
        return loss + float("inf") if losses == 2 and rank == 1 else loss

    trainer.steps.batch_loss = poisoned
    result = fit(config, source, out / "poisoned", options)
    report["skipped"] = [entry["skipped"] for entry in result.progress.history]
    (out / f"report{rank}.json").write_text(json.dumps(report))
"""


def launch(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *LAUNCH, *PLAIN, "--main_process_port", "29617", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def reports(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    out = tmp_path_factory.mktemp("processes")
    (out / "job.py").write_text(SCRIPT)
    done = launch(out / "job.py", pairs, out)
    assert done.returncode == 0, done.stderr
    return out, [json.loads((out / f"report{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_processes_train_on_each_image_once_an_epoch(reports: tuple[Path, list[dict]]) -> None:
    # 12 images: a step of 2 processes x 2 batches x 2 images, and one of 4
    for epoch in (1, 2):
        seen = [[index for number, index in report["seen"] if number == epoch] for report in reports[1]]
        assert [len(part) for part in seen] == [6, 6]
        assert sorted(seen[0] + seen[1]) == list(range(12))


@pytest.mark.slow
def test_processes_score_each_frame_once_and_as_one_process_does(pairs: Path, reports: tuple[Path, list[dict]]) -> None:
    out, both = reports
    for epoch in (0, 1):
        assert sorted(both[0]["scored"][2 * epoch : 2 * epoch + 2] + both[1]["scored"][2 * epoch : 2 * epoch + 2]) == [
            0,
            1,
            2,
            3,
        ]
    trained = load_trained(out / "straight" / "last.safetensors")
    import torch

    from runtime.metrics import confusion_matrix

    loader = plain_loader(open_dataset(pairs), "val", 64, 64)
    alone = sum(
        confusion_matrix(truth, predicted, 7)
        for _, truth, predicted in predict_batches(trained.network, loader, torch.device("cpu"))
    )
    assert np.array_equal(np.array(both[0]["confusion"]) + np.array(both[1]["confusion"]), alone)


@pytest.mark.slow
def test_processes_stop_together_and_resume_exactly(reports: tuple[Path, list[dict]]) -> None:
    out, both = reports
    assert [report["interrupted_by"] for report in both] == [15, 15]
    straight, stopped = (load_checkpoint(out / name / "last.safetensors") for name in ("straight", "stopped"))
    assert straight.tensors.keys() == stopped.tensors.keys()
    assert [name for name in straight.tensors if not straight.tensors[name].equal(stopped.tensors[name])] == []
    assert straight.record["processes"] == 2


@pytest.mark.slow
def test_processes_skip_a_step_together(reports: tuple[Path, list[dict]]) -> None:
    assert [report["skipped"] for report in reports[1]] == [[1, 0], [1, 0]]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_processes_started_by_the_command_line_train_once(pairs: Path, tmp_path: Path) -> None:
    flags = ("--size", 64, "--epochs", 2, "--width", 4, "--depth", 2, "--batch-size", 3, "--workers", 1)
    done = launch("-m", "segtool", "train", pairs, "--out", tmp_path / "run", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best mean IoU") == 1
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert json.loads((tmp_path / "run" / "last.json").read_text())["processes"] == 2
