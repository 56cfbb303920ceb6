"""A session on one provider, or an error that says why there is none and what to do."""

from collections.abc import Mapping
from typing import Any

from ..errors import DeviceLostError, ModelFileError, ProviderUnavailable
from ..options import EngineOptions
from . import probe
from .diagnosis import diagnosis
from .failures import is_lost, remember_lost
from .libraries import missing_libraries, remedy
from .session import (
    BY_DEVICE_ID,
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
TensorRT needs an engine that `segtool build` built: take it by name."""

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


def open_on(
    name: str,
    data: bytes,
    options: EngineOptions,
    *,
    strict: bool = True,
    settings: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401  # onnxruntime has no types
    """Opens a session on a provider that was proven to run, or is being proven.

    Args:
        name: of PROVIDERS.
        data: the model's bytes.
        options: how the engine is to run.
        strict: every node on that provider; else the CPU may take some.
        settings: further options of the provider, in ONNX Runtime's names.

    Raises:
        ProviderUnavailable: it did not open there.
        DeviceLostError: the device was lost meanwhile.
    """
    if PROVIDERS[name] not in available():
        built_with = ", ".join(short for short, full in PROVIDERS.items() if full in available())
        raise ProviderUnavailable(
            f"provider '{name}': expected ONNX Runtime to have it, but the installed {VERSION} has only {built_with}; "
            f"install {_PACKAGES[name]} in place of the onnxruntime package that is there"
        )
    if options.device_id and PROVIDERS[name] not in BY_DEVICE_ID:
        raise ProviderUnavailable(
            f"provider '{name}': expected device_id 0, as ONNX Runtime can't give it a device by number, got "
            f"{options.device_id}; leave device_id out, or name another provider"
        )
    asked = session_options(options, only_named_provider=strict and name != "cpu")
    try:
        with quiet():
            preload_libraries()
            session = new_session(data, asked, PROVIDERS[name], options, settings)
    except ENGINE_ERRORS as error:
        _refuse_if_lost(name, options.device_id, error)
        raise ProviderUnavailable(_why_not(name, data, error, options.device_id)) from error
    if session.get_providers()[:1] != [PROVIDERS[name]]:
        raise ProviderUnavailable(
            f"provider '{name}': expected a session on it, but ONNX Runtime {VERSION} opened one on "
            f"{', '.join(session.get_providers())}; check the device and its libraries"
        )
    return session


def open_on_cpu(data: bytes, options: EngineOptions, where: str) -> Any:  # noqa: ANN401
    """Opens a session on the CPU.

    Args:
        data: the model's bytes.
        options: how the engine is to run.
        where: the model file's name, for error messages.

    Raises:
        ModelFileError: ONNX Runtime can't open the model.
    """
    try:
        return new_session(data, session_options(options, only_named_provider=False), PROVIDERS["cpu"])
    except ENGINE_ERRORS as error:
        raise ModelFileError(
            f"{where}: expected a model that ONNX Runtime {VERSION} opens, but it says: {message_of(error)}; "
            "export it again, or update onnxruntime"
        ) from error


def prove(name: str, device_id: int = 0) -> None:
    """Has a provider open and run the small model; one that opens may still miss a library at the first convolution.

    Raises:
        ProviderUnavailable: it does not.
        DeviceLostError: the device was lost meanwhile.
    """
    session = open_on(name, probe.probe_model(), EngineOptions(threads=1, cuda_graph=False, device_id=device_id))
    try:
        right = probe.runs(session)
    except ENGINE_ERRORS as error:
        _refuse_if_lost(name, device_id, error)
        known = diagnosis(error, device_id)
        if known is not None:
            raise ProviderUnavailable(_told(name, *known)) from error
        raise ProviderUnavailable(
            f"provider '{name}': expected it to run a small model, but it opened and then failed: {message_of(error)}; "
            "check its libraries, the device and the driver"
        ) from error
    if not right:
        raise ProviderUnavailable(
            f"provider '{name}': expected the right numbers from a small model, got wrong ones; "
            "check the device and the driver, and update ONNX Runtime"
        )


def _refuse_if_lost(name: str, device_id: int, error: Exception) -> None:
    """A lost device is no reason to go on with another provider."""
    if is_lost(error):
        remember_lost(name, device_id, message_of(error))
        raise DeviceLostError(
            f"provider '{name}': expected device {device_id} to work, but it was lost when it was opened: "
            f"{message_of(error)}; restart the process"
        ) from error


def _why_not(name: str, data: bytes, error: Exception, device_id: int) -> str:
    known = diagnosis(error, device_id)
    if known is not None:
        return _told(name, *known)
    if data != probe.probe_model():  # which it ran a moment ago
        return (
            f"provider '{name}': expected it to take the whole model, but it runs here and not this model: "
            f"{message_of(error)}; use provider 'cpu', or export the model for '{name}'"
        )
    missing = missing_libraries(name)
    if missing:
        return _told(name, f"ONNX Runtime {VERSION} can't load {' and '.join(missing)}", remedy(name, missing))
    return _told(name, f"ONNX Runtime {VERSION} says: {message_of(error)}", "check the device and its driver")


def _told(name: str, met: str, instruction: str) -> str:
    return f"provider '{name}': expected it to run here, but {met}; {instruction}"
