"""TensorRT's engines: what each depends on, its build ahead of time, and a session on one that was built."""

import hashlib
import os
from pathlib import Path
from typing import Any

from ..errors import ProviderUnavailable, UsageError
from ..onnx_file import OnnxStructure, read_structure
from ..options import EngineOptions
from .engine_cache import build_command, build_engine, serve
from .nvidia import gpu_facts, library_versions
from .opening import open_on, prove
from .precision import half_nodes
from .session import VERSION, message_of, preload_libraries, quiet

_NAME = "tensorrt"
_OF_ENGINE = ("cuda", "tensorrt")
_ENVIRONMENT = (
    "NVIDIA_TF32_OVERRIDE"  # 0 keeps TensorRT from computing fp32 in TF32, which no option of the provider does
)


def open_built(data: bytes, options: EngineOptions, where: str) -> Any:  # noqa: ANN401  # onnxruntime has no types
    """Opens a session on the engine that was built for exactly this model, these versions and this GPU; builds none.

    Args:
        data: the bytes of a model file that was checked.
        options: how the engine is to run; `engine_cache` is where it was built.
        where: the model file's name, for error messages and the instructions in them.

    Raises:
        ProviderUnavailable: TensorRT does not run here, or there is no such engine.
    """
    parts = _parts(data, options, where)
    if options.engine_cache is None:
        raise ProviderUnavailable(
            "provider 'tensorrt': expected EngineOptions(engine_cache=FOLDER) with an engine that was built ahead, got "
            f"None; build one: {build_command(where, Path('FOLDER'))}"
        )

    def open_at(folder: Path) -> Any:  # noqa: ANN401
        try:
            return _open_at(folder, data, options, where)
        except ProviderUnavailable:
            prove(_NAME, options.device_id)  # where TensorRT does not run at all, this says why
            raise

    return serve(Path(options.engine_cache), parts, where, open_at)


def build_for_tensorrt(data: bytes, options: EngineOptions, where: str, *, anew: bool = False) -> Path:
    """Builds the engine that `open_built` asks for; takes minutes.

    Args:
        data: the bytes of a model file that was checked.
        options: those that it will be served with: engine_cache and device_id count here.
        where: the model file's name, for error messages.
        anew: build where the cache has a sound one already, too.

    Returns:
        The engine's folder in the cache.

    Raises:
        UsageError: no engine_cache.
        ProviderUnavailable: TensorRT does not run here, or does not take the whole model.
        DeviceError: TensorRT left no engine.
        StorageError: the disk is full, the cache can't be written.
    """
    if options.engine_cache is None:
        raise UsageError("engine_cache: expected a folder for the engine, got None; give one (--cache)")

    def build(folder: Path) -> None:
        prove(_NAME, options.device_id)
        _open_at(folder, data, options, where)

    return build_engine(Path(options.engine_cache), _parts(data, options, where), where, build, anew=anew)


def engine_options(structure: OnnxStructure) -> dict[str, str]:
    """The provider's options that decide what engine it builds.

    Half precision and int8 only where the file itself has them: TensorRT takes an option for leave to use them anywhere
    that it finds faster, so an fp32 file is given neither.

    Args:
        structure: of the model file.

    Source: https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html
    """
    quantised = any(node.op_type == "QuantizeLinear" for node in structure.nodes)
    return {
        "trt_fp16_enable": str(int(half_nodes(structure) > 0)),
        "trt_int8_enable": str(int(quantised)),
        "trt_engine_cache_enable": "1",
    }


def engine_parts(data: bytes, where: str, device_id: int) -> dict[str, str]:
    """Everything that can change the engine of a model, by name (`engine_cache.key_of`).

    Args:
        data: of the model file.
        where: its name, for error messages.
        device_id: which GPU, from 0.

    Raises:
        ModelFileError: not an ONNX model.
        RuntimeError: no driver, no such GPU, or no CUDA or TensorRT.
    """
    versions = library_versions(_OF_ENGINE)
    missing = [name for name in _OF_ENGINE if name not in versions]
    if missing:
        raise RuntimeError(f"the libraries of {' and '.join(missing)} don't load here")
    return {
        "model": hashlib.sha256(data).hexdigest(),
        **engine_options(read_structure(data, where)),
        _ENVIRONMENT: os.environ.get(_ENVIRONMENT, ""),
        "onnxruntime": VERSION,
        **{name: versions[name] for name in _OF_ENGINE},
        **gpu_facts(device_id),
    }


def _parts(data: bytes, options: EngineOptions, where: str) -> dict[str, str]:
    with quiet():
        preload_libraries()
    try:
        return engine_parts(data, where, options.device_id)
    except RuntimeError as error:
        prove(_NAME, options.device_id)  # tells which library is missing
        raise ProviderUnavailable(
            f"provider 'tensorrt': expected to learn what its engine depends on, but {message_of(error)}; check the "
            "driver, and that CUDA and TensorRT can be loaded"
        ) from error


def _open_at(folder: Path, data: bytes, options: EngineOptions, where: str) -> Any:  # noqa: ANN401
    settings = engine_options(read_structure(data, where)) | {"trt_engine_cache_path": str(folder)}
    return open_on(_NAME, data, options, settings=settings)
