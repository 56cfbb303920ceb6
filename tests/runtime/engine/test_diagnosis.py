import pytest

from runtime.engine import diagnosis as diagnosis_module
from runtime.engine.diagnosis import diagnosis

# as ONNX Runtime 1.31 words CUDA's errors (CudaCall in onnxruntime/core/providers/cuda/cuda_call.cc)
WORDED = (
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure {number}: {text} ; GPU=0 ; hostname=car ; "
    "file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc ; line=1 ; expr=cudaGetLastError(); "
)


@pytest.mark.parametrize(
    "words",
    [
        WORDED.format(number=209, text="no kernel image is available for execution on the device"),
        "CUDA error cudaErrorNoKernelImageForDevice:no kernel image is available for execution on the device",
        "CUDA failure 209: <unknown>",
        WORDED.format(number=98, text="invalid device function"),
        "CUDA error cudaErrorInvalidDeviceFunction:invalid device function",
    ],
)
def test_diagnosis_of_no_kernel_image_is_the_architecture(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"gpu": "NVIDIA P4", "compute_capability": "6.1", "driver": "1"}
    monkeypatch.setattr(diagnosis_module, "gpu_facts", lambda _: facts)
    met, instruction = diagnosis(RuntimeError(words), 0)
    assert "has no code for this GPU's architecture (NVIDIA P4, compute capability 6.1): CUDA" in met
    assert "install an ONNX Runtime that was built for it" in instruction


def test_diagnosis_without_facts_of_the_gpu_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: int) -> dict[str, str]:
        raise RuntimeError("no driver")

    monkeypatch.setattr(diagnosis_module, "gpu_facts", none)
    met, _ = diagnosis(RuntimeError("CUDA failure 209: no kernel image is available"), 0)
    assert "has no code for this GPU's architecture: CUDA failure 209" in met


def test_diagnosis_of_an_old_driver_and_a_wrong_device_id() -> None:
    met, instruction = diagnosis(RuntimeError(WORDED.format(number=35, text="CUDA driver version is insufficient")), 0)
    assert "needs a newer driver" in met
    assert "update NVIDIA's driver" in instruction
    met, instruction = diagnosis(RuntimeError(WORDED.format(number=101, text="invalid device ordinal")), 7)
    assert "finds no GPU with device_id 7: CUDA failure 101: invalid device ordinal" in met
    assert "nvidia-smi" in instruction


@pytest.mark.parametrize(
    "words", ["CUDA failure 2: out of memory", "CUDA failure 2091: x", "no kernel", "CUDA failure 1010: y", ""]
)
def test_diagnosis_of_others_is_none(words: str) -> None:
    assert diagnosis(RuntimeError(words), 0) is None
