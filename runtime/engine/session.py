"""The one place that imports ONNX Runtime: session options, its exceptions as one tuple, and its noise kept down.

Works with ONNX Runtime 1.20 and newer; what came later is looked up with getattr.
"""

import contextlib
import functools
import inspect
import io
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from ..options import EngineOptions
from .cuda_options import FLOAT32_IS_FLOAT32, cuda_options
from .cudart import Stream
from .failures import is_lost

VERSION: str = onnxruntime.__version__

# ONNX Runtime's exceptions (Fail, InvalidGraph, EPFail ...) have no common base but Exception, and differ by version.
# Beside them pybind11 turns C++ exceptions into RuntimeError and MemoryError, and a damaged name in a model into
# UnicodeDecodeError, a ValueError.
ENGINE_ERRORS: tuple[type[Exception], ...] = (
    *(
        kind
        for kind in vars(onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    RuntimeError,
    ValueError,
    MemoryError,
)

_CUDA = "CUDAExecutionProvider"
BY_DEVICE_ID = (
    _CUDA,
    "TensorrtExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "DmlExecutionProvider",
    "CPUExecutionProvider",  # on which it has no effect
)
"""Providers that EngineOptions.device_id has a meaning for; all but the CPU's have an option `device_id`."""
_FATAL, _WARNING = 4, 2
_stdout_lock = threading.RLock()
_CAN_FORBID_FALLBACK = "enable_fallback" in inspect.signature(onnxruntime.InferenceSession.__mro__[1]).parameters


def session_options(engine: EngineOptions, *, only_named_provider: bool) -> Any:  # noqa: ANN401  # onnxruntime has no types
    """Session options that every session of this package is opened with.

    Args:
        engine: the integrator's: threads, affinity and spinning count here.
        only_named_provider: a node that the named provider can't take is an error instead of a trip to the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = engine.threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL  # what goes wrong is raised, and told once
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # for placement.py; from 1.31 on
    if engine.affinity is not None:
        options.add_session_config_entry("session.intra_op_thread_affinities", engine.affinity)
    if not engine.spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if only_named_provider:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def available() -> tuple[str, ...]:
    """The providers that the installed ONNX Runtime was built with, by its names; their libraries may be missing."""
    return tuple(onnxruntime.get_available_providers())


@dataclass(frozen=True, kw_only=True)
class OwnStream:
    """What a session that was opened on CUDA with EngineOptions carries as `segtool_cuda`.

    Attributes:
        stream: that all its work goes to. It hangs on the session to live as long: what is set first goes first where
            Python takes an object apart, so ONNX Runtime's own session is gone when the stream is given back.
        graph_refused: None where runs are captured as a CUDA graph; else why not, "off" where the options say so.
    """

    stream: Stream
    graph_refused: str | None


def new_session(
    data: bytes,
    options: Any,  # noqa: ANN401
    provider: str,
    engine: EngineOptions | None = None,
    settings: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401
    """Opens a session on one provider, without ONNX Runtime's ways of changing providers by itself.

    Args:
        data: the model's bytes.
        options: from `session_options`.
        provider: ONNX Runtime's own name of it.
        engine: the integrator's, of which the GPU's count here (on other providers than CUDA device_id alone); None:
            device 0, no stream of its own, no CUDA graph.
            A session with a CUDA graph must be bound (`cuda_binding.py`): its `run` is refused.
        settings: further options of the provider, in its own names.

    Raises:
        One of ENGINE_ERRORS: it did not open.
    """
    more = dict(settings or {})
    if provider != _CUDA:
        if engine is not None and provider in BY_DEVICE_ID and provider != "CPUExecutionProvider":
            more = {"device_id": str(engine.device_id)} | more
        return _open(data, options, provider, more)
    if engine is None:
        return _open(data, options, provider, FLOAT32_IS_FLOAT32 | more)
    try:
        stream = Stream(engine.device_id, engine.stream_priority)
    except RuntimeError:  # no CUDA here, or no such device: ONNX Runtime, which meets that as well, tells it as always
        _open(data, options, provider, {"device_id": str(engine.device_id)} | more)
        raise
    refused = None if engine.cuda_graph else "off"
    if refused is None:
        try:
            session = _open(data, options, provider, cuda_options(engine, stream.address, graph=True) | more)
        except ENGINE_ERRORS as error:
            if is_lost(error):
                raise
            refused = f"refused when the model was opened: {message_of(error)}"
        else:
            session.run = _refuse_run
    if refused is not None:
        session = _open(data, options, provider, cuda_options(engine, stream.address, graph=False) | more)
    session.segtool_cuda = OwnStream(stream=stream, graph_refused=refused)
    return session


def _open(data: bytes, options: Any, provider: str, settings: dict[str, str]) -> Any:  # noqa: ANN401
    # After some failures ONNX Runtime prints to stdout and goes on with a session on another provider, or tries to:
    # enable_fallback=0 stops the constructor from that, disable_fallback() stops run(). Where the constructor does not
    # know it yet (1.20), the options and our caller refuse that session, and its print is held back.
    if provider == "CPUExecutionProvider":
        # A pattern of the first run's memory is allocated beside that first run's own, which is kept: `unet-fast` fp32
        # at 1024x1024 then took 279 MB instead of 160, and was no faster (docs/experiments.md, 2026-11-23).
        options.enable_mem_pattern = False
    with contextlib.nullcontext() if _CAN_FORBID_FALLBACK else _stdout_held_back():
        session = onnxruntime.InferenceSession(data, options, providers=[(provider, settings)], enable_fallback=0)
    session.disable_fallback()
    return session


def _refuse_run(*_: object) -> None:
    """Stands in place of `run`, which would capture addresses that are free again afterwards, and replay them."""
    raise RuntimeError(
        "expected run_with_iobinding for a session that is captured as a CUDA graph, got run; open it with "
        "EngineOptions(cuda_graph=False)"
    )


@contextlib.contextmanager
def _stdout_held_back() -> Iterator[None]:
    with _stdout_lock, contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what ONNX Runtime prints and logs while a provider is tried away from stdout and stderr.

    Both belong to the whole process: for that while, what another thread prints is lost too, and the severity of ONNX
    Runtime's default logger, which can't be read, is afterwards its default (warnings).
    """
    with _stdout_held_back():
        onnxruntime.set_default_logger_severity(_FATAL)
        try:
            yield
        finally:
            onnxruntime.set_default_logger_severity(_WARNING)


@functools.cache
def preload_libraries() -> None:
    """Loads the CUDA and cuDNN libraries that pip installed, where ONNX Runtime can (1.21); call it in quiet()."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        preload()


def message_of(error: BaseException) -> str:
    """What an engine's exception says, in one line of at most 300 characters.

    ONNX Runtime puts C++ signatures, source paths and the host's name around the words that matter, which come late:
    "[ONNXRuntimeError] : 1 : FAIL : ... [with ERRTYPE = cudnnStatus_t ...] CUDNN failure 1: CUDNN_STATUS... ; GPU".
    """
    text = re.split(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", " ".join(str(error).split()))[-1]
    device_failure = re.search(r"\b[A-Z]{3,12} failure \d+: [^;]+", text)
    if device_failure:
        text = device_failure.group()
    return text[:300].strip() or type(error).__name__
