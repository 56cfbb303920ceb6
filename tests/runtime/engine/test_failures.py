import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from runtime.engine import failures
from runtime.engine.failures import is_lost, refuse_lost, remember_lost
from runtime.errors import DeviceLostError


@pytest.fixture(autouse=True)
def no_device_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_lost", {})


def documented_errors() -> list[tuple[str, int, bool]]:
    """Name, number, and whether NVIDIA's own header says of it that the process must be relaunched."""
    triton = importlib.util.find_spec("triton")
    header = Path(str(triton and triton.origin)).parent / "backends" / "nvidia" / "include" / "driver_types.h"
    if not header.exists():
        pytest.skip("no CUDA headers: triton, which torch brings on Linux x86-64 and which has them, is missing")
    body = header.read_text().partition("enum __device_builtin__ cudaError")[2].partition("};")[0]
    found = re.findall(r"/\*\*(.*?)\*/\s*(cuda\w+)\s*=\s*(\d+)", body, re.DOTALL)
    plain = [(name, int(number), " ".join(text.replace("*", " ").split())) for text, name, number in found]
    return [(name, number, "must be terminated and relaunched" in text) for name, number, text in plain]


def test_is_lost_by_number_and_name_is_what_nvidias_header_says() -> None:
    told = documented_errors()
    assert len(told) > 100
    assert sum(fatal for *_, fatal in told) >= 13
    for name, number, fatal in told:
        assert is_lost(RuntimeError(f"CUDA failure {number}: told ; GPU=0 ; hostname=car ; expr=x")) == fatal, name
        assert is_lost(RuntimeError(f"CUDA graph launch error: {name}: told")) == fatal, name


def test_is_lost_by_text_is_what_nvidias_library_says() -> None:
    runtime = importlib.util.find_spec("nvidia")
    places = [Path(place) for place in (runtime.submodule_search_locations or [])] if runtime else []
    libraries = [library for place in places for library in place.glob("*/lib/libcudart.so.*")]
    if not libraries:
        pytest.skip("CUDA's runtime library is not installed as a package")
    library = ctypes.CDLL(str(libraries[0]))
    library.cudaGetErrorString.restype = ctypes.c_char_p
    for name, number, fatal in documented_errors():
        if name == "cudaErrorPriorLaunchFailure":  # deprecated since CUDA 3.1; speaks of an earlier one that was fatal
            continue
        text = library.cudaGetErrorString(number).decode()
        assert is_lost(RuntimeError(f"TensorRT: Cuda Runtime ({text})")) == fatal, name


ONNX_RUNTIME = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. Name:'c' Status Message: "
    "/onnxruntime_src/cuda_call.cc:129 std::conditional_t<...> [with ERRTYPE = cudaError; bool THRW = false] CUDA "
    "failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=car7 ; file=/cuda_stream_handle.cc ; "
)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (ONNX_RUNTIME, True),
        (ONNX_RUNTIME.replace("700: an illegal memory access was encountered", "2: out of memory"), False),
        ("CUDA error 719: unspecified launch failure", True),
        ("CUDA failure 900: operation not permitted when stream is capturing", False),
        ("CUDA failure 7000: unheard of", False),
        ("CUBLAS failure 700: CUBLAS_STATUS_UNHEARD_OF", False),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", False),
        ("cudaErrorAssertion", False),
        ("", False),
    ],
)
def test_is_lost_reads_an_engines_words(text: str, *, lost: bool) -> None:
    assert is_lost(RuntimeError(text)) == lost


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "tensorrt-rtx", "auto"])
def test_refuse_lost_knows_a_device_by_all_its_providers(provider: str) -> None:
    remember_lost("tensorrt", 1, "CUDA failure 719: unspecified launch failure")
    remember_lost("cuda", 1, "CUDA failure 700: what came of it")
    with pytest.raises(
        DeviceLostError,
        match=rf"'{provider}': .*device 1 .* CUDA failure 719: unspecified launch failure; restart the process",
    ):
        refuse_lost(provider, 1)


def test_refuse_lost_leaves_other_devices_alone() -> None:
    remember_lost("cuda", 1, "CUDA failure 719: unspecified launch failure")
    for provider, device_id in (("cuda", 0), ("tensorrt", 2), ("cpu", 1), ("rocm", 1), ("directml", 1)):
        refuse_lost(provider, device_id)
