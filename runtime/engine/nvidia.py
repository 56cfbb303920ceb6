"""What is known of an NVIDIA GPU, its driver and the libraries on it, asked of those libraries themselves.

Nothing here opens a CUDA context, so it takes no GPU memory.
"""

import ctypes
import sys
from collections.abc import Iterable

import onnxruntime

_DRIVER = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_MANAGEMENT = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}
# name -> file on Linux, on Windows, major versions of it, function that gives its version
_LIBRARIES = {
    "cuda": ("libcudart.so.{}", "cudart64_{}.dll", ("12", "13"), "cudaRuntimeGetVersion"),
    "cudnn": ("libcudnn.so.{}", "cudnn64_{}.dll", ("9",), "cudnnGetVersion"),
    "tensorrt": ("libnvinfer.so.{}", "nvinfer_{}.dll", ("10", "11"), "getInferLibVersion"),
}
_MAJOR, _MINOR = 75, 76  # of the compute capability; enum CUdevice_attribute
_TEXT_BYTES = 96


def library_versions(names: Iterable[str] = tuple(_LIBRARIES)) -> dict[str, str]:
    """Versions of CUDA's runtime, cuDNN and TensorRT, those of them that load here.

    Where they come as Python packages they load once ONNX Runtime has loaded them (`session.preload_libraries`).

    Args:
        names: which of "cuda", "cudnn" and "tensorrt"; each is loaded into the process, TensorRT with hundreds of MB.
    """
    versions = {name: _library_version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}


def gpu_facts(device_id: int) -> dict[str, str]:
    """The GPU and its driver: "gpu", "compute_capability", "driver".

    Args:
        device_id: which of them, from 0.

    Raises:
        RuntimeError: no driver, or no such GPU.
    """
    cuda = _load(_DRIVER.get(sys.platform, ""))
    if cuda is None:
        raise RuntimeError("NVIDIA's driver is not installed here")
    device, name = ctypes.c_int(), ctypes.create_string_buffer(_TEXT_BYTES)
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(cuda.cuInit(0), "cuInit")
    _check(cuda.cuDeviceGet(ctypes.byref(device), device_id), f"cuDeviceGet({device_id})")
    _check(cuda.cuDeviceGetName(name, _TEXT_BYTES, device), "cuDeviceGetName")
    for value, attribute in ((major, _MAJOR), (minor, _MINOR)):
        _check(cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device), "cuDeviceGetAttribute")
    return {
        "gpu": name.value.decode(errors="replace"),
        "compute_capability": f"{major.value}.{minor.value}",
        "driver": _driver_version(cuda),
    }


def _driver_version(cuda: ctypes.CDLL) -> str:
    """NVIDIA's number of the driver ("580.65.06"); where the management library is absent, the CUDA that it is for."""
    management = _load(_MANAGEMENT.get(sys.platform, ""))
    if management is not None and management.nvmlInit_v2() == 0:
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        failed = management.nvmlSystemGetDriverVersion(text, _TEXT_BYTES)
        management.nvmlShutdown()
        if not failed:
            return text.value.decode(errors="replace")
    number = ctypes.c_int()
    _check(cuda.cuDriverGetVersion(ctypes.byref(number)), "cuDriverGetVersion")
    return f"for CUDA {_dotted('cuda', number.value)}"


def _library_version(name: str) -> str | None:
    linux, windows, majors, function = _LIBRARIES[name]
    if name == "cuda":  # the one that ONNX Runtime was built for, where it says so: others may be installed beside it
        built_for = str(getattr(onnxruntime, "cuda_version", None) or "").partition(".")[0]
        majors = (built_for,) if built_for else majors
    pattern = {"linux": linux, "win32": windows}.get(sys.platform, "")
    for library in filter(None, (_load(pattern.format(major)) for major in majors)):
        if name == "cuda":
            number = ctypes.c_int()
            return None if library.cudaRuntimeGetVersion(ctypes.byref(number)) else _dotted(name, number.value)
        ask = getattr(library, function)
        ask.restype = ctypes.c_size_t if name == "cudnn" else ctypes.c_int
        return _dotted(name, ask())
    return None


def _dotted(name: str, number: int) -> str:
    """CUDA counts 13020 for 13.2; cuDNN 9 and TensorRT 10 count 92600 for 9.26.0."""
    if name == "cuda":
        return f"{number // 1000}.{number % 1000 // 10}"
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _load(name: str) -> ctypes.CDLL | None:
    if not name:
        return None
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _check(code: int, call: str) -> None:
    if code:
        raise RuntimeError(f"CUDA driver error {code} in {call}")
