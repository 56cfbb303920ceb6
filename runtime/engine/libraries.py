"""Finds out which shared library an ONNX Runtime provider is missing, and what to install for it."""

import ctypes
import sys
from pathlib import Path

import onnxruntime

_NVIDIA = ("cuda", "tensorrt", "tensorrt-rtx")
_DRIVER = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_FILE_NAMES = {"tensorrt-rtx": "nv_tensorrt_rtx", "directml": "dml"}
_PROVIDER_FILE = {"linux": "libonnxruntime_providers_{}.so", "win32": "onnxruntime_providers_{}.dll"}

# start of a library's name -> what to do; the first match wins, the empty one is for the rest of CUDA and cuDNN
_REMEDIES = {
    "libcuda.so": "install the NVIDIA driver (in a container: start it with the GPU)",
    "nvcuda": "install the NVIDIA driver",
    "libnvinfer": "install TensorRT and put its folder into LD_LIBRARY_PATH",
    "libnvonnxparser": "install TensorRT and put its folder into LD_LIBRARY_PATH",
    "": 'install CUDA and cuDNN (pip install "onnxruntime-gpu[cuda,cudnn]")',
}


def driver_missing(provider: str) -> bool:
    """Whether `provider` needs NVIDIA's driver and it is not there; quick, loads nothing else."""
    return provider in _NVIDIA and bool(_load_failure(_DRIVER.get(sys.platform, "")))


def missing_libraries(provider: str) -> tuple[str, ...]:
    """The shared libraries that keep `provider` from loading: the first that the loader misses, and the driver.

    Only after ONNX Runtime itself has tried to open the provider in this process: its library calls back into ONNX
    Runtime while it loads, and crashes where that is not prepared yet.

    Args:
        provider: segtool's name of it ("cuda").

    Returns:
        Their names; empty where all of them load, or where this platform's way is not known.
    """
    pattern = _PROVIDER_FILE.get(sys.platform, "")
    library = Path(onnxruntime.__file__).parent / "capi" / pattern.format(_FILE_NAMES.get(provider, provider))
    missing = [_load_failure(str(library))] if pattern and library.is_file() else []
    if driver_missing(provider):
        missing.append(_DRIVER[sys.platform])
    return tuple(dict.fromkeys(name for name in missing if name))


def remedy(provider: str, libraries: tuple[str, ...]) -> str:
    """What to install so that `libraries` (from `missing_libraries(provider)`) are there."""
    if provider not in _NVIDIA:
        return "install what this provider's package asks for"
    steps = [next(step for start, step in _REMEDIES.items() if name.startswith(start)) for name in libraries]
    return ", then ".join(dict.fromkeys(steps))


def _load_failure(library: str) -> str:
    """Name of the library that is missing when `library` is loaded, "" where it loads or `library` is ""."""
    if not library:
        return ""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        name, colon, _ = str(error).partition(":")  # "libcurand.so.10: cannot open shared object file: ..."
        return name if colon and " " not in name else f"{Path(library).name} ({error})"
    return ""
