"""Which failures of a GPU are for good, and which GPUs this process lost so. Knows libraries by their words only."""

import re

from ..errors import DeviceLostError

# Those of cudaError_t of which CUDA's driver_types.h says: "To continue using CUDA, the process must be terminated and
# relaunched." Number: name, text.
_FATAL = {
    226: ("cudaErrorContained", "Invalid access of peer GPU memory over nvlink or a hardware error"),
    700: ("cudaErrorIllegalAddress", "an illegal memory access was encountered"),
    702: ("cudaErrorLaunchTimeout", "the launch timed out and was terminated"),
    710: ("cudaErrorAssert", "device-side assert triggered"),
    714: ("cudaErrorHardwareStackError", "hardware stack error"),
    715: ("cudaErrorIllegalInstruction", "an illegal instruction was encountered"),
    716: ("cudaErrorMisalignedAddress", "misaligned address"),
    717: ("cudaErrorInvalidAddressSpace", "operation not supported on global/shared address space"),
    718: ("cudaErrorInvalidPc", "invalid program counter"),
    719: ("cudaErrorLaunchFailure", "unspecified launch failure"),
    721: ("cudaErrorTensorMemoryLeak", "tensor memory not completely freed"),
    810: ("cudaErrorMpsClientTerminated", "the MPS client has been terminated by the server"),
    911: ("cudaErrorExternalDevice", "an async error has occured in external entity outside of CUDA"),
}
# ONNX Runtime: "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; ..."; TensorRT: "(an illegal ...)"
_NUMBER = re.compile(r"\bCUDA (?:failure|error):? ?(\d+)\b", re.IGNORECASE)
_WORDS = re.compile("|".join(rf"\b{re.escape(word)}\b" for words in _FATAL.values() for word in words), re.IGNORECASE)

_NVIDIA = ("cuda", "tensorrt", "tensorrt-rtx", "auto")

# The one fact beside the fork hook that belongs to the whole process, because what it records does: such an error stays
# in the process's CUDA context, which every Segmenter on that GPU shares, until the process ends.
_lost: dict[tuple[str, int], str] = {}


def is_lost(error: BaseException) -> bool:
    """Whether an engine's exception says that the GPU can't be used again in this process.

    By number, by name and by text, as ONNX Runtime and TensorRT word CUDA's errors; an error of cuDNN or cuBLAS is
    none: where the device is lost, the next call of CUDA itself says so.
    """
    text = str(error)
    return any(int(number) in _FATAL for number in _NUMBER.findall(text)) or bool(_WORDS.search(text))


def remember_lost(provider: str, device_id: int, why: str) -> None:
    """Records for the rest of the process that a device is lost; the first failure stays, later ones follow from it.

    Args:
        provider: that ran there; those of NVIDIA share the device.
        device_id: which of them, from 0.
        why: the engine's words.
    """
    _lost.setdefault(_device(provider, device_id), why)


def refuse_lost(provider: str, device_id: int) -> None:
    """Refuses to go near a device that was lost earlier in this process.

    Args:
        provider: that is to run there. "auto" counts as NVIDIA's, which it tries first: a vehicle that lost its GPU
            is not to go on at a CPU's pace without a word.
        device_id: which of them, from 0.

    Raises:
        DeviceLostError: it was lost.
    """
    why = _lost.get(_device(provider, device_id))
    if why is not None:
        raise DeviceLostError(
            f"provider '{provider}': expected device {device_id} to work, but this process lost it at its first "
            f"failure: {why}; restart the process (provider 'cpu' still runs in this one)"
        )


def _device(provider: str, device_id: int) -> tuple[str, int]:
    return ("nvidia" if provider in _NVIDIA else provider), device_id
