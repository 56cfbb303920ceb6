"""What a vehicle's start takes: the import's time beside numpy and ONNX Runtime, and the package's size."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import runtime

REPOSITORY = Path(__file__).parents[3]
MOST_IMPORT_S = 0.3
MOST_WHEEL_BYTES = 100_000


def cumulative_us(report: str, module: str) -> int:
    """What `python -X importtime` says of a module: microseconds, with all that it brought in."""
    (line,) = re.findall(rf"^import time: +\d+ \| +(\d+) \| +{re.escape(module)}$", report, re.M)
    return int(line)


def own_import_s() -> float:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import numpy, onnxruntime; import runtime"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return cumulative_us(done.stderr, "runtime") / 1e6


def test_cumulative_us_reads_an_import_report() -> None:
    report = "import time: self [us] | cumulative | imported package\nimport time:       250 |       1750 | runtime\n"
    assert cumulative_us(report, "runtime") == 1750


def test_import_takes_little_beside_numpy_and_onnxruntime() -> None:
    assert min(own_import_s() for _ in range(3)) < MOST_IMPORT_S  # the least of three: the machine may be busy


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="108 kB in November 2026, without the manual")
def test_package_is_under_100_kb(tmp_path: Path) -> None:
    """Packed as a wheel packs it; tests/runtime/test_wheel.py builds the real one."""
    packed = tmp_path / "runtime.zip"
    source = Path(runtime.__file__).parent
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*.py")):
            archive.write(path, f"segtool_runtime/{path.relative_to(source)}")
        archive.write(REPOSITORY / "LICENSE", "LICENSE")
    assert packed.stat().st_size < MOST_WHEEL_BYTES
