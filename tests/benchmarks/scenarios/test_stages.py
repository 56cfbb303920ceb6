"""Stubs whose parts are known beforehand, by a fake clock; then a real Segmenter of a tiny file."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.latency import noise_frames
from benchmarks.scenarios import stages
from benchmarks.scenarios.stages import StagesSettings, measure_stages, middle, part_times, stages_rows
from runtime.errors import UsageError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

from .tiny_file import write_tiny


class Clocked:
    """`segment` takes 5 ms, of which the engine 4.5; a copy of a frame takes 0.3 ms, of labels 0.2 ms."""

    def __init__(self, spec, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spec, self.now_ns = spec, 0
        fake = SimpleNamespace(empty=np.empty, empty_like=np.empty_like, copyto=self.copy)
        monkeypatch.setattr(stages, "np", fake)

    def copy(self, to: np.ndarray, of: np.ndarray) -> None:
        assert to.shape == of.shape
        self.now_ns += 300_000 if of.ndim == 3 else 200_000

    def segment(self, *_: np.ndarray) -> SimpleNamespace:
        self.now_ns += 5_000_000
        return SimpleNamespace(latency_ms=4.5)


def test_part_times_are_taken_apart_as_they_were_put_together(monkeypatch: pytest.MonkeyPatch, stub_segmenter) -> None:
    clocked = Clocked(stub_segmenter().spec, monkeypatch)
    frames = [np.zeros((4, 6, 3), np.uint8)]
    told: list[int] = []
    times = part_times(clocked, frames, StagesSettings(frames=3, warmup=1), told.append, lambda: clocked.now_ns)
    assert times == pytest.approx(np.array([[0.3, 4.0, 0.2, 0.5]] * 3))  # copy in, graph, copy out, rest
    assert len(told) == 3


def test_part_times_with_confidence_copy_two_maps(monkeypatch: pytest.MonkeyPatch, stub_segmenter) -> None:
    clocked = Clocked(stub_segmenter(confidence={"temperature": 1.0}).spec, monkeypatch)
    frames = [np.zeros((4, 6, 3), np.uint8)]
    times = part_times(clocked, frames, StagesSettings(frames=2, warmup=0), clock_ns=lambda: clocked.now_ns)
    assert times[0] == pytest.approx([0.3, 3.8, 0.4, 0.5])


def test_middle_leaves_held_up_frames_out_and_adds_up() -> None:
    usual = np.array([[1.0, 10.0], [1.2, 10.2], [1.4, 10.4], [1.6, 10.6]])
    times = np.concatenate([usual, [[0.1, 0.1], [0.2, 0.2], [500.0, 1.0], [1.0, 900.0]]])
    assert middle(times) == pytest.approx([1.3, 10.3])
    assert sum(np.median(times, axis=0)) != pytest.approx(np.median(times.sum(axis=1)))  # why they are no medians


def test_stages_of_a_file_add_up_to_its_time_and_name_its_slowest_node(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "model.onnx")
    with Segmenter(path, "cpu", options=EngineOptions(threads=1)) as segmenter:
        frames = noise_frames(segmenter.spec, 4, 0)
        result = measure_stages(segmenter, path, frames, StagesSettings(frames=40, warmup=2))
    assert list(result["parts_ms"]) == ["copy in", "graph", "copy out", "rest"]
    assert sum(result["parts_ms"].values()) == pytest.approx(result["segment_ms"])
    assert result["parts_ms"]["graph"] > result["segment_ms"] / 2
    assert all(part > 0 for part in result["parts_ms"].values())
    assert result["nodes_in_all"] == len(result["nodes"]) >= 4
    assert result["note"] is None
    assert dict(stages_rows(result))["node 1"].endswith(f"{result['nodes'][0]['op']} {result['nodes'][0]['name']}")


def test_stages_on_a_provider_without_times_of_nodes_say_so(
    monkeypatch: pytest.MonkeyPatch, stub_segmenter, tmp_path: Path
) -> None:
    stub = stub_segmenter()
    stub.provider = "cuda"
    monkeypatch.setattr(stages, "profile_nodes", lambda *_: pytest.fail("a GPU's nodes were only put in a queue"))
    frames = noise_frames(stub.spec, 2, 0)
    result = measure_stages(stub, tmp_path / "model.onnx", frames, StagesSettings(frames=2, warmup=0))
    assert result["nodes"] == []
    assert stages_rows(result)[-1] == ("note", "provider 'cuda' does not tell what each node takes")


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"warmup": -1}])
def test_stages_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        StagesSettings(**wrong)
