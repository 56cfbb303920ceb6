"""What a vehicle's start takes: the import's time beside numpy and ONNX Runtime."""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
MOST_IMPORT_S = 0.3


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
