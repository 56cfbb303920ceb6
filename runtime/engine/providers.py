"""ONNX Runtime's execution providers: which ones truly run here, and a session on the one asked for or an error.

Nothing falls back in silence: a named provider takes the whole model or raises. `get_available_providers()` only says
what the package was built with, and a session asked for CUDA opens on the CPU where a library is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import DeviceLostError, ProviderUnavailable, UsageError
from ..options import EngineOptions
from .libraries import driver_missing
from .opening import PROVIDERS as PROVIDERS  # where the rest of the house finds it
from .opening import open_on, open_on_cpu, prove
from .session import available
from .tensorrt import open_built

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
    data: bytes,
    provider: str,
    options: EngineOptions,
    where: str = "model",
    *,
    allow_cpu: bool = False,
    on_cpu: Callable[[str], object] | None = None,
) -> tuple[Any, str]:
    """Opens a session that stays where it is opened.

    Args:
        data: the bytes of a model file that was checked (model_file.py).
        provider: a name of PROVIDERS: the whole model runs there, or this raises. "auto": the first of them, in their
            order, that truly runs the model; the CPU at last, and `on_cpu` is told where another was there.
        options: how the engine is to run.
        where: the model file's name, for error messages.
        allow_cpu: where the named provider does not take the whole model, nodes may run on the CPU, or all of them.
        on_cpu: called with a sentence where they do: how much runs there, and why.

    Returns:
        ONNX Runtime's session, and the name of the provider that it runs on.

    Raises:
        UsageError: no such provider name.
        ProviderUnavailable: the named provider does not run here, or does not take the whole model; for TensorRT also
            where `options.engine_cache` has no engine that was built for exactly this.
        DeviceLostError: the device was lost when it was tried; not even "auto" goes on from there.
        ModelFileError: ONNX Runtime can't open the model on the CPU.
    """
    if not isinstance(provider, str) or (provider != "auto" and provider not in PROVIDERS):
        raise UsageError(f"provider: expected one of auto, {', '.join(PROVIDERS)}, got {provider!r}")
    if provider == "auto":
        return _open_first(data, options, where, on_cpu)
    if provider == "cpu":
        return open_on_cpu(data, options, where), provider
    try:
        return _open_whole(provider, data, options, where), provider
    except ProviderUnavailable as error:
        if not allow_cpu:
            raise
        refused = str(error)
    session, name, told = _open_with_cpu(provider, data, options, where)
    if on_cpu is not None:
        on_cpu(f"{told}: {refused}")
    return session, name


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
        prove(name)
    except (ProviderUnavailable, DeviceLostError) as error:
        return ProviderStatus(name, usable=False, reason=str(error))
    return ProviderStatus(name, usable=True, reason="opened a small model and computed the right numbers")


def _open_first(
    data: bytes, options: EngineOptions, where: str, on_cpu: Callable[[str], object] | None
) -> tuple[Any, str]:
    refused = []
    for name in _candidates():
        session, why = _open_if_it_runs(name, data, options, where)
        if session is not None:
            return session, name
        refused.append(why)
    session = open_on_cpu(data, options, where)
    if refused and on_cpu is not None:
        on_cpu(f"the whole model runs on the CPU: {'; '.join(refused)}")
    return session, "cpu"


def _open_if_it_runs(name: str, data: bytes, options: EngineOptions, where: str) -> tuple[Any, str]:
    try:
        return _open_whole(name, data, options, where), ""
    except ProviderUnavailable as error:
        return None, str(error)


def _open_whole(name: str, data: bytes, options: EngineOptions, where: str) -> Any:  # noqa: ANN401
    if name == "tensorrt":
        return open_built(data, options, where)
    prove(name, options.device_id)
    return open_on(name, data, options)


def _open_with_cpu(name: str, data: bytes, options: EngineOptions, where: str) -> tuple[Any, str, str]:
    """What is left where a provider refused the whole model: a part of it there, or all of it on the CPU."""
    if name != "tensorrt":  # whose engines are built of whole models
        try:
            prove(name, options.device_id)  # or ONNX Runtime would open on the CPU alone where a library is missing
            return open_on(name, data, options, strict=False), name, "a part of the model runs on the CPU"
        except ProviderUnavailable:
            pass
    return open_on_cpu(data, options, where), "cpu", "the whole model runs on the CPU"
