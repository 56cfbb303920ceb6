"""A job there and back."""

from pathlib import Path

import pytest

from benchmarks.peers.job import Job


def job(**changes):
    values = {
        "name": "pytorch",
        "file": Path("a.onnx"),
        "float_file": Path("a.onnx"),
        "network_file": None,
        "run": Path("run ä"),
        "mean": (0.1, 0.2, 0.3),
        "std": (1.0, 2.0, 3.0),
        "provider": "cpu",
        "threads": 2,
        "frames": Path("frames.npy"),
        "labels": Path("labels.npy"),
    }
    return Job(**values | changes)


def test_job_from_its_own_json_is_the_same():
    text = job().to_json()
    assert "\n" not in text
    assert Job.from_json(text) == job()


def test_job_require_gives_what_is_there_and_refuses_what_is_not():
    assert job().require("run") == Path("run ä")
    with pytest.raises(ValueError, match="pytorch needs network_file"):
        job().require("network_file")
