"""Real child processes on a tiny file."""

import numpy as np
import pytest

from benchmarks.peers.files import make_files
from benchmarks.peers.job import Job
from benchmarks.peers.process import EngineProcess
from runtime.errors import DeviceError
from runtime.model_file import load_model_file
from runtime.segmenter import Segmenter


@pytest.fixture
def job(exported, noise_frames, tmp_path):
    spec = load_model_file(exported.float_file).spec
    files = make_files(load_model_file(exported.float_file), exported.float_file, None, tmp_path)
    np.save(tmp_path / "frames.npy", np.stack(noise_frames))

    def make(name, **changes):
        values = {
            "name": name,
            "file": exported.float_file,
            "float_file": files.float_file,
            "network_file": files.network_file,
            "run": exported.run,
            "mean": spec.mean,
            "std": spec.std,
            "provider": "cpu",
            "threads": 1,
            "frames": tmp_path / "frames.npy",
            "labels": tmp_path / f"{name}.npy",
        }
        return Job(**values | changes)

    return make


def wanted_labels(exported, frames):
    with Segmenter(exported.float_file, "cpu") as segmenter:
        return np.stack([segmenter.segment(frame).labels for frame in frames])


@pytest.mark.parametrize("name", ["segtool", "onnxruntime"])
def test_engine_process_labels_frames_and_times_turns(job, exported, noise_frames, name):
    with EngineProcess(job(name)) as engine:
        assert np.mean(engine.labels() == wanted_labels(exported, noise_frames)) > 0.999
        assert [len(engine.turn(calls)) for calls in (0, 4)] == [0, 4]
        assert all(isinstance(each, int) and each > 0 for each in engine.turn(2))
        assert engine.version


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["openvino-fp32", "openvino", "pytorch", "pytorch-channels-last", "pytorch-autocast", "pytorch-compile"],
)
def test_engine_process_of_every_peer_gives_the_labels(job, exported, noise_frames, name):
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    with EngineProcess(job(name)) as engine:
        least = 0.9 if name in ("openvino", "pytorch-autocast") else 0.999  # 8 bits of mantissa, random weights
        assert np.mean(engine.labels() == wanted_labels(exported, noise_frames)) > least
        assert len(engine.turn(3)) == 3


def test_engine_process_that_does_not_open_tells_its_last_words(job, tmp_path):
    with pytest.raises(DeviceError, match=r"onnxruntime: expected an answer.*its process ended with: .*absent\.onnx"):
        EngineProcess(job("onnxruntime", network_file=tmp_path / "absent.onnx"))


def test_engine_process_that_takes_too_long_is_ended(job):
    with pytest.raises(DeviceError, match=r"within 0 s, its process ended with: no word, exit code -9"):
        EngineProcess(job("segtool"), limit_s=0.05)
