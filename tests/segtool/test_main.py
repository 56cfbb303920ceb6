"""The process itself: exit codes, one line on stderr, and what is imported."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

import runtime.errors as tree
import segtool
from segtool import __main__ as entry

ROOT = Path(__file__).resolve().parents[2]
TORCH = ("torch", "torchvision", "accelerate", "onnx", "onnxscript", "safetensors", "torchinfo")


@pytest.fixture
def planted(monkeypatch):
    """Returns a function that makes `segtool planted` raise the given error."""

    def plant(error):
        @click.command()
        def command():
            raise error

        module = ModuleType("planted_command")
        module.command = command
        monkeypatch.setitem(sys.modules, "planted_command", module)
        monkeypatch.setitem(entry.COMMANDS, "planted", "planted_command:command")

    return plant


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (tree.GateError("odd"), 1),
        (click.UsageError("odd"), 2),
        (tree.UsageError("odd"), 2),
        (tree.DataError("odd"), 3),
        (tree.IntegrityError("odd"), 4),
        (tree.ProviderUnavailable("odd"), 5),
        (ModuleNotFoundError("odd", name="torch"), 5),
        (tree.StorageError("odd"), 6),
        (OSError(28, "odd"), 6),
        (tree.DivergedError("odd"), 7),
        (ZeroDivisionError("odd"), 70),
    ],
)
def test_run_with_a_planted_error_gives_one_line_and_its_code(planted, capsys, error, code):
    planted(error)
    assert entry.run(["planted"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("segtool: ")
    assert "odd" in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_run_interrupted_gives_130(planted, capsys):
    planted(KeyboardInterrupt())
    assert entry.run(["planted"]) == 130
    assert capsys.readouterr().err == "segtool: interrupted\n"


@pytest.mark.parametrize("arguments", [["--debug", "planted"], ["planted", "--debug"]])
def test_run_with_debug_anywhere_shows_the_traceback_before_the_line(planted, capsys, arguments):
    planted(ZeroDivisionError("odd"))
    assert entry.run(arguments) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("segtool: unexpected ZeroDivisionError: odd")


def test_run_takes_debug_behind_a_double_dash_as_a_name(planted, capsys):
    planted(ZeroDivisionError("odd"))
    assert entry.run(["planted", "--", "--debug"]) == 2  # an argument too many, and no traceback
    assert "--debug" in capsys.readouterr().err


def test_main_ends_the_process_with_the_code(planted):
    planted(tree.DataError("odd"))
    with pytest.raises(SystemExit, match="3"):
        entry.main(["planted"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such-command"], "No such command 'no-such-command'"),
        (["predict"], "Missing argument 'FILE.onnx'"),
        (["predict", "--no-such-option"], "--no-such-option"),
        (["bench", "model.onnx", "--frames", "0"], "--frames"),
        ([], "a command was expected"),
    ],
)
def test_run_with_wrong_usage_gives_2_and_one_line(capsys, arguments, told):
    assert entry.run(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_run_without_a_command_shows_the_help(capsys):
    entry.run([])
    assert "doctor" in capsys.readouterr().out


@pytest.mark.parametrize("command", entry.COMMANDS)
def test_every_command_has_help_with_examples(capsys, command):
    assert entry.run([command, "--help"]) == 0
    assert "Examples:" in capsys.readouterr().out


def test_help_without_torch_lists_every_command_and_the_exit_codes(segtool_process):
    done = segtool_process("--help", blocked=TORCH)
    assert (done.returncode, done.stderr) == (0, "")
    for command in entry.COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert "Exit codes: 0 done" in done.stdout


def test_a_command_that_needs_torch_without_it_gives_5_and_says_what_to_install(segtool_process, tmp_path):
    done = segtool_process("eval", tmp_path, tmp_path, blocked=("torch",))
    assert done.returncode == 5
    assert 'pip install "segtool[train]"' in done.stderr
    assert done.stderr.count("\n") == 1


def test_module_run_gives_the_version(segtool_process):
    done = segtool_process("--version")
    assert (done.returncode, done.stdout) == (0, f"segtool, version {segtool.__version__}\n")


def test_a_name_that_is_no_unicode_is_shown_escaped(segtool_process):
    done = segtool_process("inspect", os.fsdecode(b"caf\xe9.onnx"))
    assert done.returncode == 4
    assert "caf\\udce9.onnx" in done.stderr


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert segtool.__version__ == project["version"]


def test_version_without_an_installed_package_comes_from_the_source(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert segtool._version() == segtool.__version__


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_output_on_a_full_disk_gives_6():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "segtool", "--version"], stdout=full, stderr=subprocess.PIPE, text=True,
            cwd=ROOT, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 6
    assert done.stderr == "segtool: No space left on device; free some space and run again\n"


def test_output_that_nobody_reads_ends_in_silence():
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    done = subprocess.run(
        [sys.executable, "-m", "segtool", "--version"], stdout=reader.stdin, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    reader.stdin.close()
    assert (done.returncode, done.stderr) == (141, "")
