"""Busy work beside a measurement: what else a vehicle's computer has to do. The work itself is in `load_child`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runtime.errors import DeviceError, MissingPackage, ProviderUnavailable, UsageError

CHILD = Path(__file__).with_name("load_child.py")
MOST_PROCESSES = 256

_NUMBERS = {"cpu": re.compile(r"[0-9]{1,6}"), "gpu": re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")}


@dataclass(frozen=True, kw_only=True)
class Load:
    """How much else runs.

    Attributes:
        cpu: processes, each with a core's work that also streams through memory.
        gpu: share of the time that the first CUDA device is kept busy, 0 to 1.
    """

    cpu: int = 0
    gpu: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.cpu <= MOST_PROCESSES or not 0 <= self.gpu <= 1:
            raise UsageError(
                f"load: cpu from 0 to {MOST_PROCESSES} processes and gpu from 0 to 1 were expected, got cpu="
                f"{self.cpu},gpu={self.gpu}; correct them"
            )


def parse_load(text: str) -> Load:
    """Reads "cpu=2", "gpu=0.5" or "cpu=2,gpu=0.5".

    Raises:
        UsageError: anything else.
    """
    given: dict[str, str] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if name in given or name not in _NUMBERS or not _NUMBERS[name].fullmatch(number):
            raise UsageError(f"load: expected cpu=N,gpu=SHARE or one of the two, got {text!r}; write cpu=2,gpu=0.5")
        given[name] = number
    return Load(cpu=int(given.get("cpu", "0")), gpu=float(given.get("gpu", "0")))


@contextmanager
def busy(load: Load) -> Iterator[None]:
    """Keeps processes at work for as long as the block runs; they are at it before the block begins.

    Each child reads from a pipe that only this process holds open, and ends with it: at the end of the block, on
    Ctrl-C, and where this process is killed.

    Raises:
        MissingPackage: a GPU's share was asked for, and torch is not installed.
        ProviderUnavailable: torch finds no CUDA device.
        DeviceError: a process did not start, or ended before the block did.
    """
    asked = ["cpu"] * load.cpu + ([f"gpu={load.gpu:g}"] if load.gpu else [])
    with ExitStack() as stack:
        children = [stack.enter_context(_running(work)) for work in asked]
        for work, child in zip(asked, children, strict=True):
            _require_ready(work, child)
        yield
        for work, child in zip(asked, children, strict=True):
            if child.poll() is not None:
                raise DeviceError(
                    f"load {work}: expected it to run until the end, its process ended before with code "
                    f"{child.returncode}; measure again with less load"
                )


@contextmanager
def _running(work: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", str(CHILD), work]  # -P: its folder shadows no module
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()  # it holds nothing that wants an orderly end
        child.communicate()


def _require_ready(work: str, child: subprocess.Popen[bytes]) -> None:
    said = _line(child.stdout)
    if said == "ready":
        return
    if said == "no torch":
        raise MissingPackage(
            f'load {work} needs the package torch, which is not installed; run: pip install "segtool[train]"'
        )
    if said.startswith("no cuda"):
        raise ProviderUnavailable(
            f"load {work}: expected a CUDA device that torch can use, got {said.removeprefix('no cuda: ')}; "
            "leave out gpu=, or measure on a machine with one"
        )
    raise DeviceError(f"load {work}: expected a process at work, it said {said!r} and ended; measure without --load")


def _line(stream: IO[bytes] | None) -> str:
    return stream.readline().decode(errors="replace").strip() if stream else ""
