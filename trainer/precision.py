"""Which arithmetic a device does natively; knows nothing of networks."""

import torch

from runtime.errors import UsageError
from trainer.settings.config import Precision

NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # capability names of x86 and Arm


def resolve_precision(asked: Precision, device: torch.device) -> str:
    """What Accelerate is told: "no", "fp16" or "bf16".

    `auto` is fp16 on CUDA, bf16 on a CPU that has it natively (an emulated one is slower than fp32), else no.

    Raises:
        UsageError: fp16 on a CPU, which Accelerate would take in silence and PyTorch would run slowly and overflow.
    """
    if asked == "fp16" and device.type == "cpu":
        raise UsageError(
            "--precision fp16 needs a GPU, this run is on the CPU; give --precision bf16, no, or auto (the default)"
        )
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "fp16"
    return "bf16" if device.type == "cpu" and cpu_has_bf16() else "no"


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 natively (AVX512-BF16, AMX-BF16 or Arm BF16)."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in NATIVE_BF16)
