"""Files made to hurt: truncated, mutated and sealed again. Only ModelFileError may come, and no crash."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes

REPOSITORY = Path(__file__).parents[2]

CHILD = """
import json, resource, sys, tempfile, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from runtime.errors import ModelFileError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
counts, slowest = {}, 0.0
for path in sorted(Path(sys.argv[1]).iterdir()):
    started = time.perf_counter()
    try:
        with Segmenter(path, provider="cpu", options=EngineOptions(threads=1), warmup_frames=1):
            outcome = "loaded"
    except ModelFileError as error:
        outcome = type(error).__name__
    counts[outcome] = counts.get(outcome, 0) + 1
    slowest = max(slowest, time.perf_counter() - started)
print(json.dumps([counts, slowest]))
"""


def test_truncated_at_every_length_is_refused(tiny_model_bytes: bytes) -> None:
    for length in range(len(tiny_model_bytes)):
        with pytest.raises(ModelFileError, match="file: expected a readable seal"):
            check_model_bytes(tiny_model_bytes[:length], "file")


def test_truncated_at_every_length_and_sealed_again_is_refused(tiny_model_bytes: bytes, force_seal) -> None:
    unsealed = tiny_model_bytes[:-82]
    for length in range(len(unsealed)):
        with pytest.raises(ModelFileError, match="file: expected"):
            check_model_bytes(force_seal(unsealed[:length]), "file")


def test_mutated_and_sealed_again_is_refused_or_runs(tmp_path: Path, tiny_model_bytes: bytes, force_seal) -> None:
    generator = np.random.default_rng(3)
    unsealed = tiny_model_bytes[:-82]
    for index in range(500):
        data = bytearray(unsealed)
        for _ in range(generator.integers(1, 4)):
            data[generator.integers(len(data))] = generator.integers(256)
        (tmp_path / f"{index:03}.onnx").write_bytes(force_seal(bytes(data)))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    counts, slowest_s = json.loads(done.stdout)
    assert sum(counts.values()) == 500
    assert counts["ModelFileError"] > 50
    assert counts["loaded"] > 30  # a changed weight is a valid model once it is sealed again
    assert slowest_s < 5
