"""CudaBoundSession on a stub of the device that keeps CUDA's and ONNX Runtime's rules, and on a GPU where there is one.

The rules: work on a stream happens at `synchronise` at the latest, and here no earlier; an asynchronous copy needs
pinned memory; a captured graph reads and writes the addresses of its capture; each thread has graphs of its own, and a
current device.
"""

import threading
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from runtime.engine import cuda_binding, cudart
from runtime.engine.binding import BoundSession, open_engine
from runtime.engine.cuda_binding import CudaBoundSession, _Passage
from runtime.engine.libraries import driver_missing
from runtime.engine.providers import open_session
from runtime.errors import DeviceError
from runtime.options import EngineOptions


class Device:
    """The stub: memory by address, one stream, and the `cudart` that works on it."""

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray] = {}
        self.pinned_arrays: list[np.ndarray] = []
        self.queue: list[Callable[[], None]] = []
        self.current: dict[int, int] = {}
        self.waits = self.ended_captures = 0
        self.lost = ""
        self.capturing = False

    def allocate(self, shape: list[int], _: object, device: str, device_id: int) -> SimpleNamespace:
        assert (device, device_id) == ("cuda", 2)
        self._require_current()
        address = 1000 + len(self.memory)
        self.memory[address] = np.full(shape, 99, np.uint8)
        return SimpleNamespace(data_ptr=lambda: address)

    def pinned(self, shape: tuple[int, ...]) -> np.ndarray:
        self._require_current()
        self.pinned_arrays.append(np.zeros(shape, np.uint8))
        return self.pinned_arrays[-1]

    def set_device(self, device_id: int) -> None:
        self.current[threading.get_ident()] = device_id

    def to_device(self, address: int, host: np.ndarray) -> None:
        self._require_pinned(host)
        self.queue.append(lambda: np.copyto(self.memory[address], host))

    def to_host(self, host: np.ndarray, address: int) -> None:
        self._require_pinned(host)
        self.queue.append(lambda: np.copyto(host, self.memory[address]))

    def synchronise(self) -> None:
        self._require_current()
        self.waits += 1
        if self.lost:
            raise RuntimeError(self.lost)
        if self.capturing:
            raise RuntimeError("CUDA failure 900: operation not permitted when stream is capturing")
        while self.queue:
            self.queue.pop(0)()

    def end_capture(self) -> None:
        self.ended_captures += 1
        self.capturing = False

    def _require_current(self) -> None:
        assert self.current.get(threading.get_ident()) == 2, "a thread without a current device"

    def _require_pinned(self, host: np.ndarray) -> None:
        self._require_current()
        assert any(np.may_share_memory(host, array) for array in self.pinned_arrays), "copied from pageable memory"


class StubSession:
    """A session of a graph whose labels are the frame's first channel // 64, and its confidence that channel."""

    def __init__(self, device: Device, graph_refused: str | None) -> None:
        self.device = device
        self.segtool_cuda = SimpleNamespace(stream=device, graph_refused=graph_refused)
        self.graphs: dict[tuple[int, str], dict[str, int]] = {}
        self.replays = 0
        self.failing = ""
        self.failing_capture = ""
        self.frozen = False

    def io_binding(self) -> SimpleNamespace:
        bound: dict[str, int] = {}

        def bind(name: str, value: SimpleNamespace) -> None:
            bound[name] = value.data_ptr()

        return SimpleNamespace(bound=bound, bind_ortvalue_input=bind, bind_ortvalue_output=bind)

    def run_with_iobinding(self, binding: SimpleNamespace, options: "StubRunOptions") -> None:
        if self.failing:
            raise RuntimeError(self.failing)
        graph_id = options.entries["gpu_graph_id"]
        if graph_id == "-1":
            self._launch(dict(binding.bound))
        else:
            self._replay((threading.get_ident(), graph_id), binding.bound)
        if options.entries.get("disable_synchronize_execution_providers") != "1":
            self.device.synchronise()

    def _replay(self, graph: tuple[int, str], bound: dict[str, int]) -> None:
        assert self.segtool_cuda.graph_refused is None, "a graph was asked of a session that was opened without"
        if graph not in self.graphs:
            self._launch(dict(bound))  # the run before the capture, which allocates
            if self.failing_capture:
                self.device.capturing = True
                raise RuntimeError(self.failing_capture)
            self.graphs[graph] = dict(bound)
            if self.frozen:  # a graph that has taken a value in instead of its address
                self.device.synchronise()
                self.device.memory[1] = self.device.memory[bound["image"]].copy()
                self.graphs[graph]["image"] = 1
        self.replays += 1
        self._launch(self.graphs[graph])

    def _launch(self, addresses: dict[str, int]) -> None:
        def kernel() -> None:
            memory = self.device.memory
            first = memory[addresses["image"]][..., 0]
            np.right_shift(first, 6, out=memory[addresses["labels"]])
            if "confidence" in addresses:
                np.copyto(memory[addresses["confidence"]], first)

        self.device.queue.append(kernel)


class StubRunOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device()
    monkeypatch.setattr(cuda_binding, "cudart", device)
    monkeypatch.setattr(onnxruntime, "RunOptions", StubRunOptions)
    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", device.allocate)
    return device


@pytest.fixture(params=[None, "off"], ids=["graph", "plain"])
def session(device: Device, request: pytest.FixtureRequest) -> StubSession:
    return StubSession(device, request.param)


@pytest.fixture
def capturing(device: Device) -> StubSession:
    return StubSession(device, None)


def answers_right(bound: CudaBoundSession, frames: int = 4) -> None:
    generator = np.random.default_rng(5)
    for _ in range(frames):
        frame = generator.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        out = np.full((24, 32), 77, np.uint8)
        bound.run(frame, out)
        np.testing.assert_array_equal(out, frame[..., 0] // 64)


def test_run_answers_each_frame_with_one_wait(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(), 2)
    before = session.device.waits
    answers_right(bound)
    assert session.device.waits - before == 4


def test_run_of_a_batch_with_confidence_fills_both(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(batch=3, confidence={"temperature": 1.0}), 2)
    frames = np.random.default_rng(6).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
    labels, confidence = np.empty((2, 3, 24, 32), np.uint8)
    bound.run(frames[:, ::-1], labels, confidence)
    np.testing.assert_array_equal(labels, frames[:, ::-1, :, 0] // 64)
    np.testing.assert_array_equal(confidence, frames[:, ::-1, :, 0])


def test_graph_is_captured_once_and_replayed_for_every_thread(capturing: StubSession, make_spec) -> None:
    bound = CudaBoundSession(capturing, make_spec(), 2)
    assert bound.cuda_graph == "captured"
    before = capturing.replays
    for _ in range(3):
        thread = threading.Thread(target=answers_right, args=(bound, 2))
        thread.start()
        thread.join()
    answers_right(bound, 2)
    assert len(capturing.graphs) == 1
    assert capturing.replays - before == 8


def test_graph_that_is_off_is_never_asked_for(device: Device, make_spec) -> None:
    session = StubSession(device, "off")
    bound = CudaBoundSession(session, make_spec(), 2)
    answers_right(bound)
    assert (bound.cuda_graph, session.replays) == ("off", 0)


def test_graph_refused_at_the_capture_leaves_the_plain_path_and_says_why(capturing: StubSession, make_spec) -> None:
    capturing.failing_capture = "CUBLAS failure 14: CUBLAS_STATUS_INTERNAL_ERROR ; GPU=2"
    bound = CudaBoundSession(capturing, make_spec(), 2)
    # and not that CUDA refuses to wait while a capture is open
    assert bound.cuda_graph == "refused at the capture: CUBLAS failure 14: CUBLAS_STATUS_INTERNAL_ERROR"
    assert capturing.device.ended_captures == 1
    answers_right(bound)
    assert capturing.replays == 0


def test_graph_that_loses_the_device_at_the_capture_is_an_error(capturing: StubSession, make_spec) -> None:
    capturing.failing_capture = "CUDA failure 700: an illegal memory access was encountered"
    with pytest.raises(RuntimeError, match="CUDA failure 700: an illegal memory access"):
        CudaBoundSession(capturing, make_spec(), 2)


def test_graph_that_answers_otherwise_than_the_plain_path_is_refused(capturing: StubSession, make_spec) -> None:
    capturing.frozen = True
    # dark, the first frame, was captured; of bright every pixel is other
    with pytest.raises(
        DeviceError, match=r"CUDA graph: expected the bytes .* got 768 others for test frame 1; .*cuda_graph=False"
    ):
        CudaBoundSession(capturing, make_spec(), 2)


def test_run_that_fails_leaves_out_as_it_was_and_nothing_under_way(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(), 2)
    session.failing = "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED"
    out = np.full((24, 32), 77, np.uint8)
    with pytest.raises(RuntimeError, match="CUDNN failure 5000"):
        bound.run(np.zeros((24, 32, 3), np.uint8), out)
    assert (out == 77).all()
    assert session.device.queue == []
    session.failing = ""
    answers_right(bound)


def test_run_on_a_lost_device_says_so_in_cudas_words(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(), 2)
    session.failing = "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED"
    session.device.lost = "CUDA failure 719: unspecified launch failure"
    with pytest.raises(RuntimeError, match="CUDA failure 719") as caught:
        bound.run(np.zeros((24, 32, 3), np.uint8), np.empty((24, 32), np.uint8))
    assert "CUDNN failure 5000" in str(caught.value.__context__)


def test_run_that_loses_the_device_says_so_whatever_comes_after(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(), 2)
    session.failing = "CUDA failure 719: unspecified launch failure"
    session.device.lost = "CUDA failure 46: CUDA-capable device(s) is/are busy or unavailable"
    with pytest.raises(RuntimeError, match="CUDA failure 719"):
        bound.run(np.zeros((24, 32, 3), np.uint8), np.empty((24, 32), np.uint8))


def test_run_allocates_nothing_of_a_frames_size(session: StubSession, make_spec) -> None:
    bound = CudaBoundSession(session, make_spec(height_px=480, width_px=640), 2)
    frame, out = np.ones((480, 640, 3), np.uint8), np.empty((480, 640), np.uint8)
    bound.run(frame, out)
    tracemalloc.start()
    try:
        for _ in range(5):
            bound.run(frame, out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000


def in_before_answers(passage: Any, options: Any) -> None:
    passage._stream.to_device(passage._input.data_ptr(), passage._frame)
    passage._stream.to_host(passage.answers[0], passage._outputs[0].data_ptr())
    passage._session.run_with_iobinding(passage._binding, options)
    passage._stream.synchronise()


def in_after_the_run(passage: Any, options: Any) -> None:
    passage._session.run_with_iobinding(passage._binding, options)
    passage._stream.to_device(passage._input.data_ptr(), passage._frame)
    passage._stream.to_host(passage.answers[0], passage._outputs[0].data_ptr())
    passage._stream.synchronise()


def no_wait(passage: Any, options: Any) -> None:
    passage._stream.to_device(passage._input.data_ptr(), passage._frame)
    passage._session.run_with_iobinding(passage._binding, options)
    passage._stream.to_host(passage.answers[0], passage._outputs[0].data_ptr())


def new_address(passage: Any, options: Any) -> None:
    passage._input = cuda_binding._on_device(passage._frame, 2)
    passage._binding.bind_ortvalue_input("image", passage._input)
    passage._stream.to_device(passage._input.data_ptr(), passage._frame)
    passage._session.run_with_iobinding(passage._binding, options)
    passage._stream.to_host(passage.answers[0], passage._outputs[0].data_ptr())
    passage._stream.synchronise()


def pageable_memory(passage: Any, options: Any) -> None:
    passage._stream.to_device(passage._input.data_ptr(), passage._frame.copy())
    passage._session.run_with_iobinding(passage._binding, options)
    passage._stream.to_host(passage.answers[0], passage._outputs[0].data_ptr())
    passage._stream.synchronise()


@pytest.mark.parametrize("fault", [in_before_answers, in_after_the_run, no_wait, new_address, pageable_memory])
def test_stub_shows_an_order_that_is_wrong(capturing: StubSession, make_spec, monkeypatch, fault: Any) -> None:
    bound = CudaBoundSession(capturing, make_spec(), 2)
    monkeypatch.setattr(_Passage, "_pass_through", fault)
    with pytest.raises(AssertionError, match=r"Mismatched elements|copied from pageable memory"):
        answers_right(bound)


def test_stub_shows_a_capture_for_each_thread(capturing: StubSession, make_spec) -> None:
    bound = CudaBoundSession(capturing, make_spec(), 2)
    capturing.device.set_device(2)
    bound._passage.run(np.zeros((24, 32, 3), np.uint8))  # in this thread instead of its own
    assert len(capturing.graphs) == 2


def test_open_engine_takes_the_cuda_path_for_a_session_with_a_stream(capturing: StubSession, make_spec) -> None:
    assert isinstance(open_engine(capturing, "cuda", make_spec(), EngineOptions(device_id=2)), CudaBoundSession)


def test_open_engine_takes_the_plain_path_elsewhere(tiny_model_bytes: bytes, make_spec) -> None:
    session = onnxruntime.InferenceSession(tiny_model_bytes, providers=["CPUExecutionProvider"])
    engine = open_engine(session, "cpu", make_spec(), EngineOptions())
    assert isinstance(engine, BoundSession)
    assert engine.cuda_graph == "off"


def test_names_that_the_stub_stands_for_are_there() -> None:
    assert {name for name in ("pinned", "set_device") if callable(getattr(cudart, name))} == {"pinned", "set_device"}
    assert {"to_device", "to_host", "synchronise", "end_capture"} <= set(vars(cudart.Stream))


@pytest.mark.gpu
@pytest.mark.skipif(driver_missing("cuda"), reason="needs an NVIDIA GPU and its driver")
@pytest.mark.parametrize("nhwc", [False, True])
def test_gpu_graph_on_and_off_give_the_same_bytes_and_the_cpus_labels(tiny_model_bytes, make_spec, nhwc: bool) -> None:
    frames = np.random.default_rng(8).integers(0, 256, (20, 24, 32, 3), dtype=np.uint8)
    found = {}
    for name, graph in (("cuda", True), ("cuda", False), ("cpu", False)):
        options = EngineOptions(cuda_graph=graph, nhwc=nhwc, stream_priority=-5, gpu_mem_limit_mb=1000)
        session, provider = open_session(tiny_model_bytes, name, options)
        engine = open_engine(session, provider, make_spec(), options)
        assert engine.cuda_graph == ("captured" if graph else "off")
        outs = np.empty((20, 24, 32), np.uint8)
        for frame, out in zip(frames, outs, strict=True):
            engine.run(frame, out)
        found[name, graph] = outs
    np.testing.assert_array_equal(found["cuda", True], found["cuda", False])
    assert np.mean(found["cuda", True] == found["cpu", False]) > 0.999


@pytest.mark.gpu
@pytest.mark.skipif(driver_missing("cuda"), reason="needs an NVIDIA GPU and its driver")
def test_gpu_many_threads_get_their_own_answers(tiny_model_bytes: bytes, make_spec) -> None:
    options = EngineOptions()
    session, provider = open_session(tiny_model_bytes, "cuda", options)
    engine = open_engine(session, provider, make_spec(), options)
    frames = np.random.default_rng(9).integers(0, 256, (8, 24, 32, 3), dtype=np.uint8)
    expected, found = np.empty((2, 8, 24, 32), np.uint8)
    for frame, out in zip(frames, expected, strict=True):
        engine.run(frame, out)
    for frame, out in zip(frames, found, strict=True):
        thread = threading.Thread(target=engine.run, args=(frame, out))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(found, expected)
