"""What is asked of NVIDIA's libraries, of stand-ins for them that answer as their headers say; no GPU is needed."""

import ctypes
from types import SimpleNamespace

import pytest

from runtime.engine import nvidia
from runtime.engine.nvidia import gpu_facts, library_versions


class Driver:
    """libcuda and libnvidia-ml of a machine with one GPU."""

    def cuInit(self, _: int) -> int:  # noqa: N802  # NVIDIA's names
        return 0

    def cuDeviceGet(self, device, ordinal: int) -> int:  # noqa: N802
        device._obj.value = ordinal
        return 0 if ordinal == 0 else 101  # CUDA_ERROR_INVALID_DEVICE

    def cuDeviceGetName(self, name, size: int, _: object) -> int:  # noqa: N802
        assert size == len(name)
        name.value = b"NVIDIA T4"
        return 0

    def cuDeviceGetAttribute(self, value, attribute: int, _: object) -> int:  # noqa: N802
        value._obj.value = {75: 7, 76: 5}[attribute]  # COMPUTE_CAPABILITY_MAJOR, _MINOR in cuda.h
        return 0

    def cuDriverGetVersion(self, number) -> int:  # noqa: N802
        number._obj.value = 13020  # "(1000 * major + 10 * minor)", cuda.h
        return 0

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0

    def nvmlSystemGetDriverVersion(self, text, _: int) -> int:  # noqa: N802
        text.value = b"580.65.06"
        return 0


def test_gpu_facts_of_a_gpu_are_name_capability_and_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "_load", lambda _: Driver())
    assert gpu_facts(0) == {"gpu": "NVIDIA T4", "compute_capability": "7.5", "driver": "580.65.06"}


def test_gpu_facts_without_the_management_library_tell_the_drivers_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "_load", lambda name: None if "ml" in name else Driver())
    assert gpu_facts(0)["driver"] == "for CUDA 13.2"


def test_gpu_facts_of_no_such_gpu_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "_load", lambda _: Driver())
    with pytest.raises(RuntimeError, match=r"CUDA driver error 101 in cuDeviceGet\(3\)"):
        gpu_facts(3)


def test_gpu_facts_without_a_driver_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "_load", lambda _: None)
    with pytest.raises(RuntimeError, match="driver is not installed"):
        gpu_facts(0)


def test_library_versions_are_decoded_as_each_library_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def runtime_version(number) -> int:
        number._obj.value = 13020
        return 0

    monkeypatch.setattr(nvidia.sys, "platform", "linux")
    libraries = {
        "libcudart.so": SimpleNamespace(cudaRuntimeGetVersion=runtime_version),
        # NV_TENSORRT_VERSION and CUDNN_VERSION are major * 10000 + minor * 100 + patch in TensorRT 10 and cuDNN 9
        "libcudnn.so": SimpleNamespace(cudnnGetVersion=lambda: 92600),
        "libnvinfer.so": SimpleNamespace(getInferLibVersion=lambda: 101302),
    }
    # a function of ctypes can be given a restype; a lambda can too
    monkeypatch.setattr(nvidia, "_load", lambda name: libraries[name.rpartition(".")[0]])
    assert library_versions() == {"cuda": "13.2", "cudnn": "9.26.0", "tensorrt": "10.13.2"}
    del libraries["libnvinfer.so"]  # loaded only where it is asked for
    assert library_versions(("cuda", "cudnn")) == {"cuda": "13.2", "cudnn": "9.26.0"}


def test_library_versions_without_libraries_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "_load", lambda _: None)
    assert library_versions() == {}


def test_load_of_a_library_that_is_absent_is_none() -> None:
    assert nvidia._load("libnothing.so.7") is None
    assert nvidia._load("") is None
    assert isinstance(nvidia._load("libc.so.6"), ctypes.CDLL)
