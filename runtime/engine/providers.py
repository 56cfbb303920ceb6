"""ONNX Runtime's execution providers: which ones truly run here, and a session on one of them or an error.

Nothing falls back in silence: a named provider takes the whole model or raises. `get_available_providers()` only says
what the package was built with, and a session asked for CUDA opens on the CPU where a library is missing.
"""

from dataclasses import dataclass
from typing import Any

from ..errors import ModelFileError, ProviderUnavailable, UsageError
from ..options import EngineOptions
from . import probe
from .libraries import driver_missing, missing_libraries, remedy
from .session import (
    ENGINE_ERRORS,
    VERSION,
    available,
    message_of,
    new_session,
    preload_libraries,
    quiet,
    session_options,
)

PROVIDERS: dict[str, str] = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "tensorrt-rtx": "NvTensorRTRTXExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""segtool's name -> ONNX Runtime's, in the order in which "auto" tries them. CUDA stands before TensorRT because
TensorRT builds its engine for minutes at the first start: take it by name."""

_PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "tensorrt-rtx": "onnxruntime-trt-rtx",
    "migraphx": "onnxruntime-migraphx",
    "rocm": "onnxruntime-rocm",
    "directml": "onnxruntime-directml",
    "coreml": "onnxruntime (on macOS)",
    "openvino": "onnxruntime-openvino",
    "qnn": "onnxruntime-qnn",
}
_UNEXPECTED = {
    (
        "cpu",
        "fp16",
    ): "the CPU computes fp16 nodes in fp32 between casts: an fp16 file is smaller there, not faster, "
    "and what half arithmetic does to its labels does not show",
    ("cuda", "int8"): "the CUDA provider computes an int8 file's convolutions in float: it is slower there than fp16, "
    "export with --fp16 for it",
}
_ALWAYS_TOLD = ("cuda", "tensorrt", "cpu")


@dataclass(frozen=True)
class ProviderStatus:
    """Whether a provider truly runs here.

    Attributes:
        name: segtool's name of it ("cuda").
        usable: it opened a small model and computed the right numbers.
        reason: why, or why not, in a sentence.
    """

    name: str
    usable: bool
    reason: str


def usable_providers() -> tuple[ProviderStatus, ...]:
    """Tries each provider that ONNX Runtime lists, and CUDA, TensorRT and CPU in any case, on a small model.

    The first call in a process loads the CUDA libraries that are installed, which takes a second or two.

    >>> from segtool_runtime import usable_providers
    >>> [status.usable for status in usable_providers() if status.name == "cpu"]
    [True]
    """
    listed = available()
    return tuple(_status(name) for name, full_name in PROVIDERS.items() if full_name in listed or name in _ALWAYS_TOLD)


def open_session(
    data: bytes, provider: str, options: EngineOptions, where: str = "model", *, allow_cpu: bool = False
) -> tuple[Any, str]:
    """Opens a session that stays on one provider.

    Args:
        data: the bytes of a model file that was checked (model_file.py).
        provider: a name of PROVIDERS: the whole model runs there, or this raises. "auto": the first of them, in their
            order, that truly runs the model; the CPU at last.
        options: how the engine is to run.
        where: the model file's name, for error messages.
        allow_cpu: where the named provider does not take the whole model, nodes may run on the CPU, or all of them.

    Returns:
        ONNX Runtime's session, and the name of the provider that it runs on.

    Raises:
        UsageError: no such provider name.
        ProviderUnavailable: the named provider does not run here, or does not take the whole model.
        ModelFileError: ONNX Runtime can't open the model on the CPU.
    """
    if not isinstance(provider, str) or (provider != "auto" and provider not in PROVIDERS):
        raise UsageError(f"provider: expected one of auto, {', '.join(PROVIDERS)}, got {provider!r}")
    if provider not in ("auto", "cpu"):
        _prove(provider)
        return _open_on(provider, data, options), provider
    for name in _candidates() if provider == "auto" else ():
        session = _open_if_it_runs(name, data, options)
        if session is not None:
            return session, name
    return _open_on_cpu(data, options, where), "cpu"


def precision_notes(provider: str, precision: str) -> tuple[str, ...]:
    """What is not as a file's precision makes one expect, on a provider; nothing where all is."""
    note = _UNEXPECTED.get((provider, precision))
    return () if note is None else (note,)


def _candidates() -> list[str]:
    listed = available()
    # without a driver there is no use in loading gigabytes of CUDA libraries first
    return [name for name, full in PROVIDERS.items() if full in listed and name != "cpu" and not driver_missing(name)]


def _status(name: str) -> ProviderStatus:
    try:
        _prove(name)
    except ProviderUnavailable as error:
        return ProviderStatus(name, usable=False, reason=str(error))
    return ProviderStatus(name, usable=True, reason="opened a small model and computed the right numbers")


def _prove(name: str) -> None:
    """Has a provider open and run the small model; one that opens may still miss a library at the first convolution."""
    session = _open_on(name, probe.probe_model(), EngineOptions(threads=1))
    try:
        right = probe.runs(session)
    except ENGINE_ERRORS as error:
        raise ProviderUnavailable(
            f"provider '{name}': expected it to run a small model, but it opened and then failed: {message_of(error)}; "
            "check its libraries, the device and the driver"
        ) from error
    if not right:
        raise ProviderUnavailable(
            f"provider '{name}': expected the right numbers from a small model, got wrong ones; "
            "check the device and the driver, and update ONNX Runtime"
        )


def _open_if_it_runs(name: str, data: bytes, options: EngineOptions) -> Any:  # noqa: ANN401  # onnxruntime has no types
    try:
        _prove(name)
        return _open_on(name, data, options)
    except ProviderUnavailable:
        return None


def _open_on_cpu(data: bytes, options: EngineOptions, where: str) -> Any:  # noqa: ANN401
    try:
        return new_session(data, session_options(options, only_named_provider=False), PROVIDERS["cpu"])
    except ENGINE_ERRORS as error:
        raise ModelFileError(
            f"{where}: expected a model that ONNX Runtime {VERSION} opens, but it says: {message_of(error)}; "
            "export it again, or update onnxruntime"
        ) from error


def _open_on(name: str, data: bytes, options: EngineOptions) -> Any:  # noqa: ANN401
    if PROVIDERS[name] not in available():
        built_with = ", ".join(short for short, full in PROVIDERS.items() if full in available())
        raise ProviderUnavailable(
            f"provider '{name}': expected ONNX Runtime to have it, but the installed {VERSION} has only {built_with}; "
            f"install {_PACKAGES[name]} in place of the onnxruntime package that is there"
        )
    asked = session_options(options, only_named_provider=name != "cpu")
    try:
        with quiet():
            preload_libraries()
            session = new_session(data, asked, PROVIDERS[name])
    except ENGINE_ERRORS as error:
        raise ProviderUnavailable(_why_not(name, data, error)) from error
    if session.get_providers()[:1] != [PROVIDERS[name]]:
        raise ProviderUnavailable(
            f"provider '{name}': expected a session on it, but ONNX Runtime {VERSION} opened one on "
            f"{', '.join(session.get_providers())}; check the device and its libraries"
        )
    return session


def _why_not(name: str, data: bytes, error: Exception) -> str:
    if data != probe.probe_model():  # which it ran a moment ago
        return (
            f"provider '{name}': expected it to take the whole model, but it runs here and not this model: "
            f"{message_of(error)}; use provider 'cpu', or export the model for '{name}'"
        )
    missing = missing_libraries(name)
    if missing:
        return (
            f"provider '{name}': expected it to run here, but ONNX Runtime {VERSION} can't load "
            f"{' and '.join(missing)}; {remedy(name, missing)}"
        )
    return (
        f"provider '{name}': expected it to run here, but ONNX Runtime {VERSION} says: {message_of(error)}; "
        "check the device and its driver"
    )
