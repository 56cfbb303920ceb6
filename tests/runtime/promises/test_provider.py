"""R1, R2, R3: the provider that was asked for or an error; never another one; a lost device is final."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime import start as start_module
from runtime.engine import failures, providers
from runtime.engine.libraries import driver_missing
from runtime.errors import DeviceError, DeviceLostError, ProviderUnavailable
from runtime.health import State
from runtime.options import EngineOptions
from runtime.seal import seal
from runtime.segmenter import Segmenter

EPFail = onnxruntime.capi.onnxruntime_pybind11_state.EPFail
COUNTS = [3, pytest.param(100, marks=pytest.mark.slow)]


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every session that opened with the CPU provider in it, from now on."""
    opened: list[object] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, *arguments: object, **keywords: object) -> None:
            super().__init__(*arguments, **keywords)
            if "CPUExecutionProvider" in self.get_providers():
                opened.append(self.get_providers())

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return opened


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("device_id", [0, 99])
@pytest.mark.skipif(not driver_missing("cuda"), reason="this machine has NVIDIA's driver")
def test_provider_whose_library_is_missing_is_refused_and_no_session_is_on_the_cpu(
    tiny_model_path: Path, on_the_cpu: list[object], capfd, device_id: int, count: int
) -> None:
    for _ in range(count):
        with pytest.raises(ProviderUnavailable, match="provider 'cuda': expected"):
            Segmenter(tiny_model_path, "cuda", options=EngineOptions(device_id=device_id))
    assert on_the_cpu == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("provider", [name for name in providers.PROVIDERS if name != "cpu"])
def test_provider_that_the_wheel_was_built_without_is_refused(
    tiny_model_path: Path, on_the_cpu: list[object], monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for _ in range(10):
        with pytest.raises(ProviderUnavailable, match=f"provider '{provider}': expected .* has only cpu; install"):
            Segmenter(tiny_model_path, provider)
    assert on_the_cpu == []


@pytest.mark.parametrize("provider", ["openvino", "rocm"])
def test_provider_that_onnxruntime_replaces_by_the_cpu_is_refused(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """M4, played by a session that opens on the CPU whatever it is asked for."""

    class Session(onnxruntime.InferenceSession):
        def __init__(self, model: bytes, *_: object, **__: object) -> None:
            super().__init__(model, providers=["CPUExecutionProvider"])

    names = [providers.PROVIDERS[provider], "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    for _ in range(10):
        with pytest.raises(ProviderUnavailable, match=f"provider '{provider}': expected a session on it, but"):
            Segmenter(tiny_model_path, provider)


def fails_on_white(make_proto: Callable[..., onnx.ModelProto]) -> bytes:
    """The tiny model, which ONNX Runtime itself can't run where the frame's first byte is 255."""
    model = make_proto()
    constants = {"start": [0, 0, 0, 0], "end": [1, 1, 1, 1], "none": [1], "limit": [255], "mask": None}
    for name in ("start", "end", "none", "limit"):
        model.graph.initializer.append(numpy_helper.from_array(np.array(constants[name], np.int64), name))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(255, np.int32), "table"))
    label = next(node for node in model.graph.node if node.output[0] == "labels")
    label.output[0] = "plain"
    nodes = [
        helper.make_node("Slice", ["image", "start", "end"], ["corner"], "corner"),
        helper.make_node("Reshape", ["corner", "none"], ["byte"], "byte"),
        helper.make_node("Cast", ["byte"], ["index"], "index", to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["zero"], "planted"),  # of 255 entries: 255 is out of range
        helper.make_node("Cast", ["plain"], ["wide"], "widen", to=TensorProto.INT32),
        helper.make_node("Add", ["wide", "zero"], ["sum"], "add"),
        helper.make_node("Cast", ["sum"], ["labels"], "narrow", to=TensorProto.UINT8),
    ]
    model.graph.node.extend(nodes)
    return seal(model.SerializeToString())


def test_run_that_onnxruntime_fails_is_a_device_error_each_time_and_says_nothing(
    tmp_path: Path, make_proto, frame, reference_labels, capfd
) -> None:
    (tmp_path / "model.onnx").write_bytes(fails_on_white(make_proto))
    segmenter = Segmenter(tmp_path / "model.onnx", "cpu", options=EngineOptions(threads=1))
    bad = frame.copy()
    bad[0, 0, 0] = 255
    out = np.full(frame.shape[:2], 77, np.uint8)
    for _ in range(100):
        with pytest.raises(DeviceError, match=r"model\.onnx: expected provider 'cpu' to run it, but it failed: "):
            segmenter.segment(bad, out)
    assert (out == 77).all()
    assert segmenter.health().failures == 100
    assert segmenter.health().stale
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(segmenter.segment(frame, out).labels, reference_labels(frame))
    assert not segmenter.health().stale


class FailingCore:
    """Stands for ONNX Runtime's C++ session: each run fails as a provider fails, after which run() would fall back."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.runs = 0
        self.core = session._sess
        session._sess = self

    def __getattr__(self, name: str) -> object:
        return getattr(self.core, name)

    def run(self, *_: object) -> None:
        self.runs += 1
        raise EPFail("CUDA failure 2: out of memory ; GPU=0 ; planted")

    run_with_iobinding = run


def test_failure_of_the_provider_changes_no_provider(tiny_model_path: Path, frame, capfd) -> None:
    segmenter = Segmenter(tiny_model_path, "cpu", options=EngineOptions(threads=1))
    engine = segmenter._engine
    core = engine._binding._session = FailingCore(engine._session)
    out = np.full(frame.shape[:2], 77, np.uint8)
    for _ in range(100):
        with pytest.raises(DeviceError, match="CUDA failure 2: out of memory; make a new Segmenter"):
            segmenter.segment(frame, out)
    assert core.runs == 100
    assert engine._session._sess is core  # a fallback would have put a new one there
    assert (out == 77).all()
    assert segmenter.provider == "cpu"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "stock"])
def test_only_a_stock_session_prints_and_falls_back_in_run(tiny_model_path: Path, frame, capfd, *, ours: bool) -> None:
    """M5: what would happen without `disable_fallback`, so that the test above is known to see it."""
    stock = onnxruntime.InferenceSession(tiny_model_path.read_bytes(), providers=["CPUExecutionProvider"])
    session = Segmenter(tiny_model_path, "cpu")._engine._session if ours else stock
    core = FailingCore(session)
    if ours:
        with pytest.raises(EPFail, match="planted"):
            session.run(["labels"], {"image": frame[np.newaxis]})
    else:
        session.run(["labels"], {"image": frame[np.newaxis]})
    assert (session._sess is core) == ours
    assert ("Falling back" in capfd.readouterr().out) != ours


class FailingEngine:
    """Stands for a session on a GPU; fails once `words` are set."""

    words = ""
    runs = 0
    cuda_graph = "off"

    def run(self, _: np.ndarray, *outs: np.ndarray) -> None:
        type(self).runs += 1
        if type(self).words:
            raise RuntimeError(type(self).words)
        for out in outs:
            out[:] = 1


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path) -> Callable[..., Segmenter]:
    """Opens a Segmenter whose provider is said to be cuda, and whose engine is a FailingEngine."""
    monkeypatch.setattr(failures, "_lost", {})
    monkeypatch.setattr(FailingEngine, "words", "")
    monkeypatch.setattr(FailingEngine, "runs", 0)
    open_session = start_module.open_session

    def open_as_cuda(data: bytes, _: str, options: EngineOptions, *rest: object, **keywords: object) -> object:
        opened = open_session(data, "cpu", options, *rest, **keywords)
        return (opened[0], "cuda", *opened[2:])

    monkeypatch.setattr(start_module, "open_session", open_as_cuda)
    monkeypatch.setattr(start_module, "open_engine", lambda *_, **__: FailingEngine())
    return lambda device_id=0: Segmenter(tiny_model_path, "cuda", options=EngineOptions(device_id=device_id))


@pytest.mark.parametrize("number", [700, 719])
def test_lost_device_is_final_for_its_segmenter_and_for_the_process(gpu, frame, number: int) -> None:
    segmenter, other = gpu(), gpu(device_id=1)
    assert segmenter.segment(frame).valid
    FailingEngine.words = f"CUDA failure {number}: planted ; GPU=0 ; hostname=car"
    with pytest.raises(DeviceLostError, match=f"failed: CUDA failure {number}: planted; the device is lost"):
        segmenter.segment(frame)
    FailingEngine.words, runs = "", FailingEngine.runs
    for _ in range(100):
        with pytest.raises(DeviceLostError, match=f"it is lost: CUDA failure {number}: planted; restart the process"):
            segmenter.segment(frame)
        with pytest.raises(DeviceLostError, match=f"CUDA failure {number}: planted; restart the process"):
            gpu()
    assert FailingEngine.runs == runs  # nothing went near the device
    assert segmenter.health().state is State.FAILED
    segmenter.close()
    assert segmenter.health().state is State.FAILED
    assert other.segment(frame).valid  # on another device


def test_failure_that_is_not_for_good_leaves_the_device_in_use(gpu, frame) -> None:
    segmenter = gpu()
    FailingEngine.words = "CUDA failure 2: out of memory ; GPU=0"
    with pytest.raises(DeviceError, match="CUDA failure 2: out of memory"):
        segmenter.segment(frame)
    FailingEngine.words = ""
    assert segmenter.segment(frame).valid
    assert gpu().segment(frame).valid
