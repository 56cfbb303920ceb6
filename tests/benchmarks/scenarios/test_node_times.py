"""A profile written by hand, where every share is known, and ONNX Runtime's own of a tiny file."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scenarios.node_times import nodes_of, profile_nodes
from runtime.errors import DataError
from runtime.options import EngineOptions

from .tiny_file import CHANNELS, write_tiny


def event(name: str, ts: int, dur: int, cat: str = "Node", **args: str) -> dict[str, object]:
    return {"cat": cat, "name": name, "ts": ts, "dur": dur, "ph": "X", "args": args}


def run(ts: int, conv_us: int) -> list[dict[str, object]]:
    """A run of two nodes, as ONNX Runtime writes it: nodes first, what holds them after."""
    return [
        event("conv_nchwc_fence_before", ts + 1, 500, op_name="Conv"),
        event("conv_nchwc_kernel_time", ts + 2, conv_us, op_name="Conv", output_size="4096"),
        event("argmax_kernel_time", ts + conv_us + 3, 100, op_name="ArgMax", output_size="64"),
        event("SequentialExecutor::Execute", ts + 1, conv_us + 200, "Session"),
        event("model_run", ts, conv_us + 300, "Session"),
    ]


PROFILE = [event("model_loading_array", 0, 9000, "Session"), *run(10_000, 9_000), *run(20_000, 200), *run(30_000, 400)]


def test_nodes_of_a_profile_are_means_over_the_last_runs_and_shares_of_all_nodes() -> None:
    conv, argmax = nodes_of(PROFILE, 2)
    assert (conv.name, conv.op, conv.ms, conv.output_bytes) == ("conv_nchwc", "Conv", 0.3, 4096)
    assert (argmax.name, argmax.op, argmax.ms, argmax.output_bytes) == ("argmax", "ArgMax", 0.1, 64)
    assert (conv.share, argmax.share) == (0.75, 0.25)


def test_nodes_of_a_profile_with_the_slow_first_run_counted_are_others() -> None:
    assert nodes_of(PROFILE, 3)[0].ms == pytest.approx(3.2)  # what leaving the warm-up out guards against


@pytest.mark.parametrize(("runs", "got"), [(4, "expected 4 runs in it, at least 1, got 3"), (0, "expected 0 runs")])
def test_nodes_of_a_profile_with_too_few_runs_are_refused(runs: int, got: str) -> None:
    with pytest.raises(DataError, match=got):
        nodes_of(PROFILE, runs)


def test_nodes_of_a_profile_without_nodes_are_refused() -> None:
    with pytest.raises(DataError, match="times of nodes in its last 1 runs, got none"):
        nodes_of([event("model_run", 0, 10, "Session")], 1)


def test_profile_of_a_file_has_its_nodes_and_sizes_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.chdir(tmp_path)
    path = write_tiny(tmp_path / "model.onnx", 64, 96)
    nodes = profile_nodes(path, "cpu", EngineOptions(threads=1), [np.zeros((64, 96, 3), np.uint8)] * 4)
    assert {"Conv", "ArgMax", "Cast", "Transpose"} <= {node.op for node in nodes}
    assert sum(node.share for node in nodes) == pytest.approx(1)
    assert [node.ms for node in nodes] == sorted((node.ms for node in nodes), reverse=True)
    assert max(node.output_bytes for node in nodes) == CHANNELS * 64 * 96 * 4  # float32 [1, 16, 64, 96]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.onnx", "temp"]
    assert list((tmp_path / "temp").iterdir()) == []


def test_profile_on_tensorrt_has_no_nodes(tmp_path: Path) -> None:
    assert profile_nodes(tmp_path / "never read", "tensorrt", EngineOptions(), []) == []
