"""Where nodes run, against ONNX Runtime's own profile of a run."""

import dataclasses
import json
import platform
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

import runtime
from runtime.engine import placement as placement_module
from runtime.engine.placement import Placement, placement_of
from runtime.engine.session import session_options
from runtime.model_file import ModelFile, load_model_file
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

tells = pytest.mark.skipif(
    not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"),
    reason="ONNX Runtime tells which provider runs which node from 1.31 on",
)


@pytest.fixture
def model(tiny_model_path: Path) -> ModelFile:
    return load_model_file(tiny_model_path)


def place(session: object, provider: str, model: ModelFile) -> Placement:
    return placement_of(session, provider, model.structure, model.sha256, "off")


@tells
def test_placement_of_agrees_with_the_profile_of_a_run(model: ModelFile, tmp_path: Path) -> None:
    options = session_options(EngineOptions(threads=1), only_named_provider=False)
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    # what the CPU's provider fuses and reorders after it got its nodes would be counted otherwise
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    session.run(None, {"image": np.zeros((1, *model.spec.frame_shape), np.uint8)})
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = [event["args"]["provider"] for event in events if event["name"].endswith("_kernel_time")]
    assert Counter(ran) == {"CPUExecutionProvider": 13}
    assert place(session, "cpu", model).nodes == {"cpu": 13}


def test_placement_of_a_segmenter_is_plain_data(tiny_model_path: Path, model: ModelFile) -> None:
    with Segmenter(tiny_model_path, "cpu", options=EngineOptions(threads=1)) as segmenter:
        placement = segmenter.placement()
    document = placement.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (placement.provider, placement.half_nodes, placement.cuda_graph) == ("cpu", 0, "off")
    assert placement.sha256 == model.sha256
    assert placement.versions == {
        "segtool-runtime": runtime.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def test_placement_of_two_providers_counts_each_by_our_name(model: ModelFile) -> None:
    def part(name: str, count: int) -> SimpleNamespace:
        return SimpleNamespace(ep_name=name, get_nodes=lambda: [object()] * count)

    parts = [part("CUDAExecutionProvider", 5), part("CPUExecutionProvider", 2), part("CUDAExecutionProvider", 6)]
    session = SimpleNamespace(get_provider_graph_assignment_info=lambda: [*parts, part("NewExecutionProvider", 1)])
    assert place(session, "cpu", model).nodes == {"cuda": 11, "cpu": 2, "NewExecutionProvider": 1}


def test_placement_of_an_older_onnx_runtime_says_that_it_does_not_tell(model: ModelFile) -> None:
    placement = place(SimpleNamespace(), "cpu", model)
    assert placement.nodes is None
    assert placement.notes == (f"ONNX Runtime {onnxruntime.__version__} does not tell which provider runs which node",)


@tells
def test_placement_of_a_session_that_recorded_nothing_says_why(model: ModelFile) -> None:
    session = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"])
    placement = place(session, "cpu", model)
    assert placement.nodes is None
    assert "record_ep_graph_assignment_info" in placement.notes[0]


def test_placement_of_half_nodes_on_the_cpu_says_how_they_are_computed(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement_module, "half_nodes", lambda _: 7)
    monkeypatch.setattr(placement_module, "library_versions", lambda names: dict.fromkeys(names, "13.0"))
    on_cpu, on_gpu = place(SimpleNamespace(), "cpu", model), place(SimpleNamespace(), "cuda", model)
    assert "the CPU computes the 7 nodes in half precision in fp32 between casts" in on_cpu.notes[-1]
    assert len(on_gpu.notes) == 1
    assert (on_gpu.half_nodes, on_gpu.versions["cuda"]) == (7, "13.0")
    assert "tensorrt" not in on_gpu.versions  # which would be loaded to be asked
    assert "cuda" not in on_cpu.versions


def test_placement_can_not_be_changed(model: ModelFile) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="provider"):
        place(SimpleNamespace(), "cpu", model).provider = "cuda"
