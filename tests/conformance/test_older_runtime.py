"""The runtime's own tests under the oldest ONNX Runtime and the oldest Python that it is promised for."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
OLDEST = "onnxruntime==1.20.1"
TEST_PACKAGES = ("numpy", "onnx", "pytest", "pytest-timeout", "hypothesis", "pillow", "rich")
# what needs torch beside the runtime (an independent count of IoU), builds environments of its own, or takes a copy
LEFT_OUT = ("test_metrics.py", "test_wheel.py", "promises/test_guards.py")
# a cost that is told as a share of numpy's own, which is another in another numpy
TIMED = "tests/runtime/stream/test_sequence.py::test_flags_costs_a_small_part_of_one_copy_of_the_frame"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run_tests_of_the_runtime(python: Path, *leave_out: str) -> None:
    ignored = [f"--ignore=tests/runtime/{name}" for name in (*LEFT_OUT, *leave_out)]
    command = [str(python), "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "tests/runtime"]
    done = subprocess.run(
        [*command, *ignored, f"--deselect={TIMED}"], cwd=REPOSITORY, capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason=f"{OLDEST} has no wheel for Python {platform.python_version()}")
def test_tests_of_the_runtime_pass_with_the_oldest_onnxruntime(environment) -> None:
    run_tests_of_the_runtime(environment(OLDEST, *TEST_PACKAGES))


def python_3_10() -> str | None:
    """A Python 3.10 that runs, on the path or of pyenv."""
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10"))
    for candidate in (shutil.which("python3.10"), *map(str, pyenv)):
        if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return candidate
    return None


def test_tests_of_the_runtime_pass_under_python_3_10(tmp_path: Path) -> None:
    found = python_3_10()
    if found is None:
        pytest.skip("no Python 3.10 here")
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([found, "-m", "venv", str(python.parents[1])], check=True, timeout=120)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", OLDEST, *TEST_PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True, timeout=280)
    if done.returncode != 0:
        pytest.skip(f"pip can't install {OLDEST} for Python 3.10: {done.stderr.strip().splitlines()[-1]}")
    run_tests_of_the_runtime(python, "test_package.py")  # which reads TOML with the library that 3.11 brought
    shutil.rmtree(python.parents[1], ignore_errors=True)  # hundreds of MB that pytest would keep
