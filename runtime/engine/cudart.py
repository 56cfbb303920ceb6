"""The few calls of NVIDIA's CUDA runtime library that ONNX Runtime's Python package has no name for, through ctypes.

A stream of one's own, pinned host memory and copies between it and the device. Device memory is ONNX Runtime's
(OrtValue). Every return code is checked; a failure is a RuntimeError in ONNX Runtime's own words for it.
"""

import contextlib
import ctypes
import functools
import math
import sys
import weakref

import numpy as np
import numpy.typing as npt
import onnxruntime

_NON_BLOCKING = (
    1  # cudaStreamNonBlocking: work on the default stream, of torch for one, neither waits for it nor holds it up
)
_TO_DEVICE, _TO_HOST = 1, 2  # of enum cudaMemcpyKind

_FILE_NAME = {"linux": "libcudart.so.{}", "win32": "cudart64_{}.dll"}
_MAJORS = ("12", "13")  # of CUDA, where ONNX Runtime does not say what it was built for

# CUDA Runtime API, the same in CUDA 12 and 13; each returns a cudaError_t
_ARGUMENTS = {
    "cudaSetDevice": (ctypes.c_int,),
    "cudaStreamCreateWithPriority": (ctypes.c_void_p, ctypes.c_uint, ctypes.c_int),
    "cudaStreamDestroy": (ctypes.c_void_p,),
    "cudaStreamSynchronize": (ctypes.c_void_p,),
    "cudaStreamIsCapturing": (ctypes.c_void_p, ctypes.c_void_p),
    "cudaStreamEndCapture": (ctypes.c_void_p, ctypes.c_void_p),
    "cudaGraphDestroy": (ctypes.c_void_p,),
    "cudaHostAlloc": (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint),
    "cudaFreeHost": (ctypes.c_void_p,),
    "cudaMemcpyAsync": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p),
    "cudaGetLastError": (),
}


def set_device(device_id: int) -> None:
    """Makes a GPU the calling thread's current one, for the calls below.

    Raises:
        RuntimeError: no such device, or no CUDA.
    """
    _call("cudaSetDevice", device_id)


class Stream:
    """A CUDA stream with a priority: what is put on it happens in that order, and at the latest before `synchronise`.

    Given back when the object dies: whoever gives ONNX Runtime its address keeps it for as long as the session lives.
    """

    def __init__(self, device_id: int, priority: int) -> None:
        """Makes it, on a device that becomes the calling thread's current one.

        Args:
            device_id: which GPU, from 0.
            priority: 0 (lowest) to -5; CUDA takes the nearest that the device knows.

        Raises:
            RuntimeError: no such device, or no CUDA.
        """
        set_device(device_id)
        handle = ctypes.c_void_p()
        _call("cudaStreamCreateWithPriority", ctypes.byref(handle), _NON_BLOCKING, priority)
        self.address: int = handle.value or 0
        _give_back_with(self, "cudaStreamDestroy", self.address)

    def to_device(self, address: int, host: npt.NDArray[np.uint8]) -> None:
        """Puts a copy to the device on the stream; `host` must stay as it is until `synchronise`.

        Args:
            address: on the device, of host.nbytes bytes.
            host: C-contiguous, from `pinned`: from other memory the copy is no asynchronous one.

        Raises:
            RuntimeError: CUDA failed, perhaps in earlier work.
        """
        _call("cudaMemcpyAsync", address, host.ctypes.data, host.nbytes, _TO_DEVICE, self.address)

    def to_host(self, host: npt.NDArray[np.uint8], address: int) -> None:
        """Puts a copy from the device on the stream; `host`, from `pinned`, has it after `synchronise`, not before.

        Args:
            host: C-contiguous, from `pinned`.
            address: on the device, of host.nbytes bytes.

        Raises:
            RuntimeError: CUDA failed, perhaps in earlier work.
        """
        _call("cudaMemcpyAsync", host.ctypes.data, address, host.nbytes, _TO_HOST, self.address)

    def synchronise(self) -> None:
        """Waits until all that was put on the stream has happened.

        Raises:
            RuntimeError: some of it failed.
        """
        _call("cudaStreamSynchronize", self.address)

    def end_capture(self) -> None:
        """Ends a capture that a failure has left open, and throws away what it captured; else does nothing.

        Raises:
            RuntimeError: CUDA failed.
        """
        status, graph = ctypes.c_int(), ctypes.c_void_p()
        _call("cudaStreamIsCapturing", self.address, ctypes.byref(status))
        if status.value == 0:  # cudaStreamCaptureStatusNone
            return
        with contextlib.suppress(RuntimeError):  # 901, cudaErrorStreamCaptureInvalidated: that is why it is ended
            _call("cudaStreamEndCapture", self.address, ctypes.byref(graph))
        if graph.value:
            _call("cudaGraphDestroy", graph)


def pinned(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Zeros in host memory that the device reads and writes by itself; given back with the last view of it.

    Args:
        shape: of at least one byte in all.

    Returns:
        uint8, C-contiguous.

    Raises:
        RuntimeError: no memory for it, or no CUDA.
    """
    size, address = math.prod(shape), ctypes.c_void_p()
    _call("cudaHostAlloc", ctypes.byref(address), size, 0)
    memory = (ctypes.c_uint8 * size).from_address(address.value or 0)
    _give_back_with(memory, "cudaFreeHost", address.value)
    array = np.frombuffer(memoryview(memory), np.uint8).reshape(shape)
    array[:] = 0
    return array


def _give_back_with(owner: object, name: str, address: int | None) -> None:
    # not when the interpreter ends: the driver takes everything back then, in the order that it knows
    weakref.finalize(owner, _call_quietly, name, address).atexit = False


def _call_quietly(name: str, address: int | None) -> None:
    with contextlib.suppress(RuntimeError):  # of a lost device there is nothing to give back
        _call(name, address)


def _call(name: str, *arguments: object) -> None:
    library = _library()
    code = getattr(library, name)(*arguments)
    if code:
        library.cudaGetLastError()  # clears it, or ONNX Runtime would find it after its next launch
        text = library.cudaGetErrorString(code).decode(errors="replace")
        raise RuntimeError(f"CUDA failure {code}: {text} ; expr={name}")


@functools.cache
def _library() -> ctypes.CDLL:
    """The library that ONNX Runtime's provider uses or is about to: by the one name that both ask the loader for."""
    built_for = str(getattr(onnxruntime, "cuda_version", None) or "").partition(".")[0]
    names = [_FILE_NAME.get(sys.platform, "").format(major) for major in ([built_for] if built_for else _MAJORS)]
    missing = ""
    for name in filter(None, names):
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            missing = missing or str(error)
            continue
        for function, arguments in _ARGUMENTS.items():
            getattr(library, function).argtypes = arguments
        library.cudaGetErrorString.restype = ctypes.c_char_p
        return library
    raise RuntimeError(
        f"expected CUDA's runtime library {' or '.join(filter(None, names))} on {sys.platform}, got none"
        f'{f" ({missing})" if missing else ""}; install CUDA (pip install "onnxruntime-gpu[cuda,cudnn]")'
    )
