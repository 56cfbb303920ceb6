"""Runs a script of this folder in a process of its own, and gives its one line of JSON, with the clock on either side.

Knows nothing of what is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import DeviceError

ROOT = Path(__file__).parents[2]  # of the packages, for a Python that they were not installed into
LONGEST_S = 600.0


@dataclass(frozen=True, kw_only=True)
class ChildReport:
    """What a child said, and when.

    Attributes:
        said: its line.
        spawned_ns: CLOCK_MONOTONIC before the process was made.
        received_ns: the same when the line was here.
    """

    said: dict[str, Any]
    spawned_ns: int
    received_ns: int


def child_environment() -> dict[str, str]:
    """Returns this process's variables, with these packages to be found by a child that is started with -P."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def run_child(script: Path, asked: Mapping[str, object], longest_s: float = LONGEST_S) -> ChildReport:
    """Starts the script with this very Python, and waits for its line and its end.

    Args:
        script: reads JSON from its only argument, and prints one line of JSON.
        asked: that argument; paths go as text.
        longest_s: after which it is ended.

    Raises:
        DeviceError: it ended without a line.
    """
    command = [sys.executable, "-P", str(script), json.dumps(asked, default=str)]  # -P: its folder shadows no module
    with tempfile.TemporaryFile() as errors:  # no pipe, which fills up where nobody reads it
        spawned_ns = time.monotonic_ns()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=child_environment())
        clock = threading.Timer(longest_s, child.kill)
        clock.start()
        try:
            line = child.stdout.readline() if child.stdout else b""
            received_ns = time.monotonic_ns()
            child.wait()
        finally:
            clock.cancel()
            child.kill()  # where this was interrupted; nothing is left to kill otherwise
            child.communicate()
        if child.returncode or not line.endswith(b"\n"):
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
            raise DeviceError(
                f"{script.name}: expected a report from its process within {longest_s:g} s, but it ended with code "
                f"{child.returncode}: {last[0]}; try the file with `segtool predict`"
            )
    return ChildReport(said=json.loads(line), spawned_ns=spawned_ns, received_ns=received_ns)
