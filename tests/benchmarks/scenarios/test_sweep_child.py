"""The child's own account of its memory, against what the system says of the process when it has ended."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.scenarios.child import ROOT
from benchmarks.scenarios.sweep import CHILD
from runtime.options import EngineOptions

from .tiny_file import write_tiny

SIZES = ((32, 64), (512, 640))  # height, width
BALLAST_MB = 64
# A small process between, because a process counts what its parent had when it was forked as its own.
BETWEEN = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measured(script: Path, path: Path, size: tuple[int, int], frames: int = 8) -> tuple[dict[str, object], float]:
    """What the child says, and the most resident memory of its whole life in MB, as getrusage(2) tells it."""
    asked = {
        "path": str(path),
        "provider": "cpu",
        "options": asdict(EngineOptions(threads=1)),
        "shape": [*size, 3],
        "distinct": 2,
        "frames": frames,
        "warmup": 1,
        "longest_s": 60.0,
    }
    command = [sys.executable, "-P", str(script), json.dumps(asked)]
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN, *command], capture_output=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    line, most_kb = done.stdout.splitlines()
    return json.loads(line), int(most_kb) * 1024 / 1e6


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sizes")
    return [write_tiny(folder / f"{height}.onnx", height, width) for height, width in SIZES]


def test_sweep_child_memory_grows_between_files_as_the_system_says(paths: list[Path]) -> None:
    (small, small_mb), (large, large_mb) = (
        measured(CHILD, path, size) for path, size in zip(paths, SIZES, strict=True)
    )
    frames_mb = 2 * 3 * (512 * 640 - 32 * 64) / 1e6  # made before, so they are not the session's
    assert large["memory_mb"] - small["memory_mb"] == pytest.approx(large_mb - small_mb - frames_mb, rel=0.1)


def test_sweep_child_planted_memory_shows(paths: list[Path], tmp_path: Path) -> None:
    text = CHILD.read_text()
    ballast = f"begun_s = time.monotonic(); ballast = np.ones({BALLAST_MB}_000_000, np.uint8)"
    planted = text.replace("begun_s = time.monotonic()", ballast)
    assert planted != text
    (tmp_path / "child.py").write_text(planted)
    plain, _ = measured(CHILD, paths[0], SIZES[0])
    laden, _ = measured(tmp_path / "child.py", paths[0], SIZES[0])
    assert laden["memory_mb"] - plain["memory_mb"] == pytest.approx(BALLAST_MB, abs=4)


def test_sweep_child_gives_as_many_times_as_it_was_asked_for(paths: list[Path]) -> None:
    said, _ = measured(CHILD, paths[0], SIZES[0], frames=9)
    assert len(said["samples_ms"]) == 9
    assert (said["provider"], said["invalid"]) == ("cpu", 0)
