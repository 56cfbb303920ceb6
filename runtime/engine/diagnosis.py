"""What a GPU's failure at the start means, and what to do about it, told from the words that the engine has for it."""

import re

from .nvidia import gpu_facts
from .session import VERSION, message_of

# how the engine words it -> what was met, and what to do; numbers and texts of enum cudaError (CUDA Runtime API)
_KNOWN = {
    r"no kernel image is available|NoKernelImageForDevice|InvalidDeviceFunction|CUDA (failure|error):? ?(98|209)\b": (
        "has no code for this GPU's architecture{gpu}",
        "install an ONNX Runtime that was built for it (for a Jetson NVIDIA's own, for an older GPU an older one), or "
        "use provider 'cpu'",
    ),
    r"driver version is insufficient|InsufficientDriver|CUDA (failure|error):? ?35\b": (
        "needs a newer driver of this GPU",
        "update NVIDIA's driver, or install an ONNX Runtime for an older CUDA",
    ),
    r"invalid device ordinal|InvalidDevice\b|CUDA (failure|error):? ?101\b": (
        "finds no GPU with device_id {device_id}",
        "give the device_id of one that nvidia-smi lists (and CUDA_VISIBLE_DEVICES leaves visible)",
    ),
}


def diagnosis(error: BaseException, device_id: int) -> tuple[str, str] | None:
    """What ONNX Runtime met and what to do about it, for failures that are known; None for others.

    Args:
        error: one of ENGINE_ERRORS, from opening a provider or from its first run.
        device_id: of the GPU.

    Returns:
        Words to stand after "the installed ONNX Runtime 1.31", and an instruction.
    """
    for pattern, (met, instruction) in _KNOWN.items():
        if re.search(pattern, str(error), re.IGNORECASE):
            told = met.format(gpu=_gpu(device_id), device_id=device_id)
            return f"the installed ONNX Runtime {VERSION} {told}: {message_of(error)}", instruction
    return None


def _gpu(device_id: int) -> str:
    try:
        facts = gpu_facts(device_id)
    except RuntimeError:
        return ""
    return f" ({facts['gpu']}, compute capability {facts['compute_capability']})"
