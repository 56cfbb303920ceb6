"""The options and the way to open a session, against the real CUDA provider over stand-ins for CUDA's libraries."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from runtime.seal import seal

REPOSITORY = Path(__file__).parents[3]
STANDIN = REPOSITORY / "tests" / "cuda_standin" / "placement.py"

# In a process of its own: one that has loaded the stand-ins is good for nothing else, and ends without a clean-up.
CHILD = """
import ctypes, gc, json, os, sys, weakref
from pathlib import Path
for library in sorted(Path(sys.argv[1]).glob("*.so.*[0-9]")):
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
import numpy as np
import onnxruntime
from runtime.engine import cudart
from runtime.engine.session import ENGINE_ERRORS, new_session, session_options
from runtime.options import EngineOptions

CUDA = "CUDAExecutionProvider"
whole, in_part = (Path(path).read_bytes() for path in sys.argv[2:4])
ended = []
cudart._call_quietly = lambda name, address: ended.append(name)

def opened(model, strict, settings=None, **engine):
    options = EngineOptions(**engine)
    return new_session(model, session_options(options, only_named_provider=strict), CUDA, options, settings)

def error_of(function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except ENGINE_ERRORS as error:
        return str(error)
    return None

told = {}
full = {"gpu_mem_limit_mb": 512, "nhwc": True, "stream_priority": -3}
session = opened(whole, True, **full)
told["options"] = session.get_provider_options()[CUDA]
told["stream"] = str(session.segtool_cuda.stream.address)
told["graph"] = session.segtool_cuda.graph_refused
told["run"] = error_of(session.run, None, {})
plain = opened(whole, True, cuda_graph=False)
told["off"] = [plain.segtool_cuda.graph_refused, plain.get_provider_options()[CUDA]["enable_cuda_graph"]]
partly = opened(in_part, False)
told["in part"] = [partly.segtool_cuda.graph_refused, partly.get_provider_options()[CUDA]["enable_cuda_graph"]]
told["in part, strict"] = error_of(opened, in_part, True)
told["unknown"] = error_of(opened, whole, True, {"no_such_option": "1"}, cuda_graph=False)
told["given back"] = list(ended)  # of the two that did not open
ended.clear()

value = onnxruntime.OrtValue.ortvalue_from_shape_and_type([2, 3], np.uint8, "cuda", 0)
host, back = cudart.pinned((2, 3)), cudart.pinned((2, 3))
told["zeros"] = host.tolist()
host[:] = [[1, 2, 3], [4, 5, 6]]
stream = session.segtool_cuda.stream
stream.to_device(value.data_ptr(), host)
stream.to_host(back, value.data_ptr())
stream.synchronise()
stream.end_capture()
told["back"] = back.tolist()
view = back[1]
del back, host, stream
told["freed"] = list(ended)  # of two arrays one, as a view of the other lives
told["view"] = view.tolist()
ended.clear()
weakref.finalize(session._sess, ended.append, "session")
del session
gc.collect()
told["ended"] = list(ended)
print(json.dumps(told), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, make_proto: Any) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("cuda_standin_for_sessions", STANDIN)
    placement = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = placement
    spec.loader.exec_module(placement)
    folder = tmp_path_factory.mktemp("standins")
    try:
        placement.build(folder)
    except placement.UnavailableError as reason:
        pytest.skip(f"CUDA's provider can't be asked here: {reason}")
    (folder / "whole.onnx").write_bytes(seal(make_proto().SerializeToString()))
    (folder / "in_part.onnx").write_bytes(in_part(make_proto()))
    command = [sys.executable, "-c", CHILD, str(folder), str(folder / "whole.onnx"), str(folder / "in_part.onnx")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def in_part(model: Any) -> bytes:
    """The model with a Tan, which has no CUDA kernel, in front of its convolution."""
    nodes = model.graph.node
    place = next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    nodes.insert(place, helper.make_node("Tan", [nodes[place].input[0]], ["planted"], "planted"))
    nodes[place + 1].input[0] = "planted"
    return model.SerializeToString()


def test_all_options_are_taken_by_the_provider(told: dict[str, Any]) -> None:
    expected = {
        "device_id": "0",
        "user_compute_stream": told["stream"],
        "has_user_compute_stream": "1",
        "do_copy_in_default_stream": "1",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "use_tf32": "0",
        "prefer_nhwc": "1",
        "enable_cuda_graph": "1",
        "gpu_mem_limit": "512000000",
        "arena_extend_strategy": "kSameAsRequested",
    }
    assert {name: told["options"][name] for name in expected} == expected
    assert int(told["stream"]) > 0


def test_an_option_that_the_provider_does_not_know_is_refused(told: dict[str, Any]) -> None:
    assert "no_such_option" in told["unknown"]  # so the test above shows something


def test_capture_is_accepted_for_a_model_that_is_wholly_on_cuda(told: dict[str, Any]) -> None:
    assert told["graph"] is None


def test_run_of_a_captured_session_is_refused(told: dict[str, Any]) -> None:
    assert told["run"].startswith("expected run_with_iobinding for a session that is captured as a CUDA graph, got run")


def test_capture_that_is_off_is_not_asked_for(told: dict[str, Any]) -> None:
    assert told["off"] == ["off", "0"]


def test_capture_refused_for_a_model_with_a_node_on_the_cpu_opens_without_and_says_why(told: dict[str, Any]) -> None:
    why, enabled = told["in part"]
    assert why.startswith("refused when the model was opened: This session cannot use the graph capture feature")
    assert enabled == "0"


def test_model_with_a_node_on_the_cpu_does_not_open_strictly(told: dict[str, Any]) -> None:
    assert "CPU EP" in told["in part, strict"]


def test_copies_there_and_back_give_the_bytes(told: dict[str, Any]) -> None:
    assert told["zeros"] == [[0, 0, 0], [0, 0, 0]]
    assert told["back"] == [[1, 2, 3], [4, 5, 6]]


def test_pinned_memory_lives_as_long_as_a_view_of_it(told: dict[str, Any]) -> None:
    assert told["freed"] == ["cudaFreeHost"]
    assert told["view"] == [4, 5, 6]


def test_stream_of_a_session_that_does_not_open_is_given_back(told: dict[str, Any]) -> None:
    assert told["given back"] == ["cudaStreamDestroy"] * 2


def test_stream_outlives_its_session(told: dict[str, Any]) -> None:
    assert told["ended"] == ["session", "cudaStreamDestroy"]
