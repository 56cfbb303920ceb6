import sys
from types import SimpleNamespace

import onnxruntime
import pytest

from runtime.engine import session as engine
from runtime.options import EngineOptions


def test_engine_errors_hold_what_onnxruntime_raises() -> None:
    with pytest.raises(engine.ENGINE_ERRORS, match="INVALID_PROTOBUF"):
        engine.new_session(
            b"no model",
            engine.session_options(EngineOptions(threads=1), only_named_provider=False),
            "CPUExecutionProvider",
        )
    assert {"Fail", "EPFail", "InvalidGraph", "RuntimeException"} <= {kind.__name__ for kind in engine.ENGINE_ERRORS}


def test_engine_errors_hold_no_catch_all() -> None:
    assert Exception not in engine.ENGINE_ERRORS
    assert not issubclass(KeyboardInterrupt, engine.ENGINE_ERRORS)
    assert not issubclass(TypeError, engine.ENGINE_ERRORS)


def test_session_options_hold_threads_and_the_strict_switch() -> None:
    options = engine.session_options(EngineOptions(threads=3), only_named_provider=True)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    assert engine.session_options(EngineOptions(), only_named_provider=False).intra_op_num_threads == 0


def test_new_session_on_cpu_keeps_no_second_copy_of_a_runs_memory(tiny_model_bytes: bytes) -> None:
    options = engine.session_options(EngineOptions(threads=1), only_named_provider=False)
    session = engine.new_session(tiny_model_bytes, options, "CPUExecutionProvider")
    assert session.get_session_options().enable_mem_pattern is False


def test_quiet_swallows_prints_and_gives_stdout_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with engine.quiet():
        print("*************** EP Error ***************")  # noqa: T201  # as onnxruntime does
    assert sys.stdout is before
    assert capsys.readouterr().out == ""


def test_quiet_gives_stdout_back_after_an_error() -> None:
    before = sys.stdout
    with pytest.raises(ValueError, match="planted"), engine.quiet():
        raise ValueError("planted")
    assert sys.stdout is before


def test_preload_libraries_is_asked_for_once_and_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    engine.preload_libraries.cache_clear()
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: calls.append(1), raising=False)
    engine.preload_libraries()
    engine.preload_libraries()
    assert calls == [1]
    engine.preload_libraries.cache_clear()
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    engine.preload_libraries()
    engine.preload_libraries.cache_clear()


CUDNN = (
    "[ONNXRuntimeError] : 1 : FAIL : Exception during initialization: /onnxruntime_src/cuda_call.cc:154 void "
    "onnxruntime::CudaCall(ERRTYPE, const char*) [with ERRTYPE = cudnnStatus_t; bool THRW = true; SUCCTYPE = int] "
    "CUDNN failure 1001: CUDNN_STATUS_NOT_INITIALIZED ; GPU=0 ; hostname=car7 ; file=/x.cc ; line=250 ; expr=create()"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CUDNN, "CUDNN failure 1001: CUDNN_STATUS_NOT_INITIALIZED"),
        (
            "CUDA failure 100: no CUDA-capable device is detected ; GPU=-1",
            "CUDA failure 100: no CUDA-capable device is detected",
        ),
        ("[ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model.", "This is an invalid model."),
        ("\n one \n two", "one two"),
        ("x" * 999, "x" * 300),
        ("", "RuntimeError"),
    ],
)
def test_message_of_is_the_part_that_matters_in_one_line(text: str, expected: str) -> None:
    assert engine.message_of(RuntimeError(text)) == expected


def test_new_session_that_fails_prints_nothing(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    options = engine.session_options(EngineOptions(threads=1), only_named_provider=False)
    for known in (engine._CAN_FORBID_FALLBACK, False):
        monkeypatch.setattr(engine, "_CAN_FORBID_FALLBACK", known)
        with pytest.raises(engine.ENGINE_ERRORS, match="INVALID_PROTOBUF"):
            engine.new_session(b"no model", options, "CPUExecutionProvider")
    assert capsys.readouterr().out == ""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The provider options of each session that is opened; `refuse` raises where a test has it raise."""
    settings: list[dict[str, str]] = []

    def record(_: bytes, __: object, providers: list[tuple[str, dict[str, str]]], **___: object) -> SimpleNamespace:
        settings.append(providers[0][1])
        return SimpleNamespace(disable_fallback=lambda: None, run=lambda: "ran")

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    monkeypatch.setattr(
        engine, "Stream", lambda device_id, priority: SimpleNamespace(address=4000 + device_id - priority)
    )
    return settings


def refuse_capture(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    taken = onnxruntime.InferenceSession

    def refuse(*arguments: object, **keywords: object) -> object:
        session = taken(*arguments, **keywords)
        if keywords["providers"][0][1].get("enable_cuda_graph") == "1":
            raise RuntimeError(error)
        return session

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)


def test_new_session_on_cuda_is_for_capture_and_cannot_be_run_unbound(opened: list[dict[str, str]]) -> None:
    session = engine.new_session(b"", None, "CUDAExecutionProvider", EngineOptions(device_id=1, stream_priority=-2))
    assert session.segtool_cuda.graph_refused is None
    assert [(one["enable_cuda_graph"], one["user_compute_stream"]) for one in opened] == [("1", "4003")]
    with pytest.raises(RuntimeError, match=r"got run; open it with EngineOptions\(cuda_graph=False\)"):
        session.run(None, {})


def test_new_session_refused_for_capture_opens_without_and_keeps_why(opened, monkeypatch) -> None:
    refuse_capture(monkeypatch, "planted: no capture")
    session = engine.new_session(b"", None, "CUDAExecutionProvider", EngineOptions())
    assert [one["enable_cuda_graph"] for one in opened] == ["1", "0"]
    assert session.segtool_cuda.graph_refused == "refused when the model was opened: planted: no capture"
    assert session.run() == "ran"


def test_new_session_that_loses_the_device_is_not_tried_again(opened, monkeypatch) -> None:
    refuse_capture(monkeypatch, "CUDA failure 719: unspecified launch failure")
    with pytest.raises(RuntimeError, match="CUDA failure 719"):
        engine.new_session(b"", None, "CUDAExecutionProvider", EngineOptions())
    assert len(opened) == 1


def test_new_session_without_a_stream_is_the_engines_failure_to_tell(opened, monkeypatch) -> None:
    def no_cuda(*_: object) -> None:
        raise RuntimeError("CUDA failure 35: planted")

    monkeypatch.setattr(engine, "Stream", no_cuda)
    with pytest.raises(RuntimeError, match="CUDA failure 35: planted"):  # where the engine itself has nothing to tell
        engine.new_session(b"", None, "CUDAExecutionProvider", EngineOptions(device_id=4))
    assert opened == [{"device_id": "4"}]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("planted: libcudnn.so.9 is missing")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(RuntimeError, match="planted: libcudnn"):
        engine.new_session(b"", None, "CUDAExecutionProvider", EngineOptions())


@pytest.mark.parametrize(
    ("provider", "options", "expected"),
    [
        ("CUDAExecutionProvider", None, {"use_tf32": "0", "more": "1"}),
        ("TensorrtExecutionProvider", None, {"more": "1"}),
        ("TensorrtExecutionProvider", EngineOptions(device_id=2), {"device_id": "2", "more": "1"}),
        ("DmlExecutionProvider", EngineOptions(device_id=1), {"device_id": "1", "more": "1"}),
        ("CPUExecutionProvider", EngineOptions(device_id=1), {"more": "1"}),
        ("CoreMLExecutionProvider", EngineOptions(), {"more": "1"}),
    ],
)
def test_new_session_elsewhere_has_no_stream(opened, provider, options, expected) -> None:
    session = engine.new_session(b"", onnxruntime.SessionOptions(), provider, options, {"more": "1"})
    assert opened == [expected]
    assert not hasattr(session, "segtool_cuda")
