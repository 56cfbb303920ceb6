"""The NVIDIA GPUs' clocks, power and what holds them back, as nvidia-smi tells. Empty without one; needs no driver."""

import math
import subprocess
from typing import Any

FIELDS = ("index", "clocks.sm", "clocks.max.sm", "pstate", "temperature.gpu", "power.draw", "power.limit")
REASONS_FIELDS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")  # since driver 535 | before

# NVML API reference, NvmlClocksEventReasons: the bits of that field. 2, 16 and 256 are settings, not trouble, but cost
# speed all the same.
REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
}


def gpu_states() -> list[dict[str, Any]]:
    """Returns the state of each NVIDIA GPU at this moment, as JSON objects; empty where nvidia-smi names none.

    Returns:
        Of each: `index`, `clock_sm_mhz`, `clock_sm_max_mhz`, `power_state` ("P0"), `temperature_c`, `power_w`,
        `power_limit_w`, `throttle_reasons` (names; empty where nothing holds it back). None where it does not tell.
    """
    for reasons_field in REASONS_FIELDS:  # nvidia-smi refuses the whole query for one field that it does not know
        text = _nvidia_smi((*FIELDS, reasons_field))
        if text is not None:
            return parse_gpus(text)
    text = _nvidia_smi(FIELDS)
    return [] if text is None else parse_gpus(text)


def parse_gpus(text: str) -> list[dict[str, Any]]:
    """Reads what nvidia-smi prints for `FIELDS` and a field of reasons, without header and units, a GPU a line."""
    return [_gpu([word.strip() for word in line.split(",")]) for line in text.splitlines() if line.strip()]


def _gpu(words: list[str]) -> dict[str, Any]:
    index, clock, clock_max, power_state, temperature, power, limit, *reasons = words
    return {
        "index": index,
        "clock_sm_mhz": _number(clock),
        "clock_sm_max_mhz": _number(clock_max),
        "power_state": power_state if power_state.startswith("P") else None,
        "temperature_c": _number(temperature),
        "power_w": _number(power),
        "power_limit_w": _number(limit),
        "throttle_reasons": _reasons(reasons[0]) if reasons else None,
    }


def _reasons(mask: str) -> list[str] | None:
    """A bit that this file does not know is named by its value: an unknown reason is still a reason."""
    try:
        bits = int(mask, 16)
    except ValueError:  # "[N/A]", "[Not Supported]"
        return None
    return [REASONS.get(1 << bit, f"reason {1 << bit:#x}") for bit in range(bits.bit_length()) if bits >> bit & 1]


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:  # "[N/A]", "[Not Supported]"
        return None
    return value if math.isfinite(value) else None


def _nvidia_smi(fields: tuple[str, ...]) -> str | None:
    """What nvidia-smi prints; None where it is absent, hangs or refuses."""
    query = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
