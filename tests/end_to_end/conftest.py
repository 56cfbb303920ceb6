"""The command line as a user meets it: a process of its own, its exit code, its one line on stderr."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def segtool() -> Run:
    """Runs `python -m segtool` with the arguments given and returns the finished process."""

    def run(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "segtool", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=400, check=False, **settings
        )

    return run
