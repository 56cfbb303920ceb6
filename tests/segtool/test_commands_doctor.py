"""`segtool doctor`: what it says of this machine, and its advice for machines that are made up."""

from types import SimpleNamespace

import numpy
import pytest

from benchmarks.machine import machine_record
from segtool.__main__ import run
from segtool.commands.doctor import TRAIN_PACKAGES, advice, machine_rows

EVERYTHING = dict.fromkeys(TRAIN_PACKAGES, "1.0")
CPU = SimpleNamespace(name="cpu", usable=True, reason="")
CUDA = SimpleNamespace(name="cuda", usable=True, reason="")


def machine(**changes):
    return machine_record() | {"gpus": [], "packages": {"onnxruntime": "1.31"}} | changes


def test_doctor_tells_versions_machine_and_providers(capsys):
    assert run(["doctor"]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["numpy", numpy.__version__] in shown
    assert any(line[:2] == ["cpu", "yes"] for line in shown)
    assert any(line[:1] == ["memory"] for line in shown)


def test_advice_where_all_works_is_none():
    assert advice(machine(), EVERYTHING, (CPU,)) == []
    assert advice(machine(gpus=["T4"]), EVERYTHING, (CPU, CUDA)) == []


def test_advice_without_a_training_package_names_it_and_the_extra():
    installed = {name: version for name, version in EVERYTHING.items() if name != "torchinfo"}
    assert advice(machine(), installed, (CPU,)) == ['train and export need torchinfo: pip install "segtool[train]"']


def test_advice_with_a_gpu_that_no_provider_uses_names_the_extra():
    (line,) = advice(machine(gpus=["T4"]), EVERYTHING, (CPU,))
    assert 'pip install "segtool[gpu]"' in line


def test_advice_with_two_engines_installed_says_that_they_clash():
    (line,) = advice(machine(packages={"onnxruntime": "1", "onnxruntime-gpu": "1"}), EVERYTHING, (CPU,))
    assert "onnxruntime and onnxruntime-gpu overwrite each other" in line


@pytest.mark.parametrize("gone", ["load_average", "clock_mhz", "clock_max_mhz", "governor"])
def test_machine_rows_of_an_unreadable_fact_still_stand(gone):
    rows = dict(machine_rows(machine(**{gone: None})))
    assert rows["gpu"].startswith("none")
    assert all(isinstance(value, str) and value for value in rows.values())


def test_machine_rows_of_an_unreadable_memory_show_no_number():
    rows = dict(machine_rows(machine(memory_mb={"total": None, "available": None})))
    assert rows["memory"] == "? free of ?"


def test_doctor_without_torch_works_and_says_what_to_install(segtool_process):
    done = segtool_process("doctor", blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "providers" in done.stdout


def test_doctor_without_an_engine_still_tells_the_machine_and_gives_5(segtool_process):
    done = segtool_process("doctor", blocked=("onnxruntime",))
    assert done.returncode == 5
    assert "memory" in done.stdout
    assert "onnxruntime" in done.stderr
    assert done.stderr.count("\n") == 1
