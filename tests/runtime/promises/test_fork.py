"""R13: a fork is noticed, and no child dies of what it inherited."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

REPOSITORY = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("fork_child.py")
SAID = {
    "run": "ForkedError",
    "close": "ready",  # it is its parent's: nothing is closed
    "drop": "dropped",
    "leave": "left",
    "exit": "",
    "make": "answered",
    "parent": "True",
}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no fork")


def ends(model: Path, count: int, *more: str) -> list[tuple[str, int, str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(CHILD), str(model), str(count), *more],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("count", [12, pytest.param(600, marks=pytest.mark.slow)])
def test_forked_children_end_cleanly_whatever_they_do(tiny_model_path: Path, count: int) -> None:
    found = ends(tiny_model_path, count)
    assert len(found) == count + 1
    assert [(action, code, said) for action, code, said in found if (code, said) != (0, SAID[action])] == []


@pytest.mark.skipif(onnxruntime.__version__.startswith("1.20."), reason="where children end well")
def test_without_the_hook_children_die_or_hang_as_they_end(tiny_model_path: Path) -> None:
    (_, code, said), _ = ends(tiny_model_path, 1, "unprotected")
    assert (code in (-signal.SIGSEGV, -signal.SIGKILL), said) == (True, "ForkedError")
