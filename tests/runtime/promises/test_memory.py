"""R14: flat memory over many frames; and no allocation of a frame's size in a run."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from runtime.options import EngineOptions
from runtime.seal import seal
from runtime.segmenter import Segmenter

REPOSITORY = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("memory_child.py")
MOST_KB = 1.0  # in 1,000 frames

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no /proc to read memory from")


def slope_kb(model: Path, thousands: int, leak_bytes: int = 0) -> float:
    """Least-squares slope of resident memory, in kB for every 1,000 frames."""
    done = subprocess.run(
        [sys.executable, str(CHILD), str(model), str(thousands), str(leak_bytes)],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert len(seen) == thousands
    return float(np.polyfit(np.arange(thousands), seen, 1)[0])


@pytest.mark.parametrize("thousands", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_memory_over_many_frames_is_flat_and_a_leak_would_be_seen(tiny_model_path: Path, thousands: int) -> None:
    assert slope_kb(tiny_model_path, thousands) < MOST_KB
    assert slope_kb(tiny_model_path, thousands, 4096) > MOST_KB


def test_run_allocates_nothing_of_a_frames_size(tmp_path: Path, make_proto) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(seal(make_proto(height_px=240, width_px=320).SerializeToString()))
    with Segmenter(path, "cpu", options=EngineOptions(threads=1)) as segmenter:
        frame = np.random.default_rng(0).integers(0, 256, segmenter.spec.frame_shape, dtype=np.uint8)
        out = np.zeros(segmenter.spec.labels_shape, np.uint8)
        for given in (frame, frame[::-1], frame[:, ::-1], np.asfortranarray(frame)):
            segmenter.segment(given, out)
            tracemalloc.start()
            try:
                segmenter.segment(given, out)
                _, most = tracemalloc.get_traced_memory()
                segmenter.segment(given)
                _, with_labels = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert most < 20_000  # the labels have 76,800 bytes, the frame 230,400
            assert out.size <= with_labels < out.size + 20_000  # numpy tells tracemalloc, so it would have shown
