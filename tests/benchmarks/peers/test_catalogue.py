"""Who takes part, and what those are told who can't."""

from pathlib import Path

import pytest

from benchmarks.peers.catalogue import ENGINES, OURS, PEER_NAMES, require_known, why_left_out
from benchmarks.peers.job import Job
from runtime.errors import UsageError


def why(name, *, provider="cpu", precision="fp32", run="run", float_file="a.onnx", absent=()):
    job = Job(
        name=name,
        file=Path("a.onnx"),
        float_file=float_file and Path(float_file),
        network_file=float_file and Path("network.onnx"),
        run=run and Path(run),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        provider=provider,
        threads=1,
        frames=Path("frames.npy"),
        labels=Path("labels.npy"),
    )
    return why_left_out(ENGINES[name], job, precision, lambda package: None if package in absent else "here")


def test_why_left_out_of_an_engine_that_has_all_is_none():
    assert [name for name in PEER_NAMES if why(name, precision="int8") is not None] == ["tensorrt"]
    assert why(OURS, absent=("torch", "onnx", "openvino")) is None


@pytest.mark.parametrize(
    ("name", "package", "install"),
    [
        ("openvino", "openvino", "segtool[peers]"),
        ("pytorch", "torch", "segtool[train]"),
        ("onnxruntime", "onnx", "train"),
    ],
)
def test_why_left_out_of_a_missing_package_says_how_to_get_it(name, package, install):
    told = why(name, absent=(package,))
    assert f"package {package} is not installed: pip install" in told
    assert install in told


def test_why_left_out_without_a_run_asks_for_it():
    assert "trained network" in why("pytorch", run=None)
    assert "--run" in why("openvino", run=None, float_file=None)
    assert why("openvino", run=None) is None


def test_why_left_out_of_an_engine_on_the_other_device_names_both():
    assert why("openvino", provider="cuda") == "it computes on the CPU, and segtool ran on provider cuda"
    assert why("tensorrt") == "it computes on the GPU, and segtool ran on provider cpu"
    assert why("pytorch", provider="cuda") is None


def test_why_left_out_of_the_same_file_where_it_is_float_is_that_another_has_it():
    assert "read already" in why("openvino-same-file")
    assert why("openvino-same-file", precision="int8") is None


@pytest.mark.parametrize(("names", "got"), [(("pytorch", "keras"), "'keras'"), ((OURS,), "'segtool'"), ((), "none")])
def test_require_known_names_what_is_none(names, got):
    with pytest.raises(UsageError, match=f"got {got}"):
        require_known(names)
