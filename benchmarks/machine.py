"""What machine this is, as far as it can be read without privileges: the part of a measurement that is not the model.

Reads /proc and /sys where they are and leaves a fact out where it can't be read. Imports no engine and no torch.
"""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")

# what ONNX Runtime's CPU kernels choose by; Arm names after x86 names
CPU_FLAGS = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)
ENGINES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
PACKAGES = ("segtool", "numpy", "pillow", *ENGINES, "openvino", "av")


def machine_record() -> dict[str, object]:
    """Returns the facts of this machine that a latency depends on, as a JSON object; an unreadable one is None."""
    cpu = parse_cpuinfo(_read(CPUINFO))
    return {
        "cpu": cpu["model"] or platform.processor() or platform.machine(),
        "cpu_flags": cpu["flags"],
        "cores": os.cpu_count(),
        "cores_usable": usable_cores(),
        "clock_mhz": cpu["clock_mhz"],
        "clock_max_mhz": _khz_to_mhz(_read(CPUFREQ / "scaling_max_freq")),
        "governor": _read(CPUFREQ / "scaling_governor").strip() or None,
        "load_average": load_average(),
        "memory_mb": parse_meminfo(_read(MEMINFO)),
        "gpus": gpu_names(),
        "os": operating_system(),
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
    }


def parse_cpuinfo(text: str) -> dict[str, object]:
    """Reads the text of /proc/cpuinfo.

    Returns:
        `model` (text or None), `clock_mhz` (float, first core, or None), `flags` (list, those of `CPU_FLAGS` present).
    """
    first: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            first.setdefault(key.strip(), value.strip())
    present = set((first.get("flags") or first.get("Features") or "").split())
    return {
        "model": first.get("model name") or first.get("Model") or None,
        "clock_mhz": float(first["cpu MHz"]) if "cpu MHz" in first else None,
        "flags": [flag for flag in CPU_FLAGS if flag in present],
    }


def parse_meminfo(text: str) -> dict[str, float | None]:
    """Reads the text of /proc/meminfo.

    Returns:
        `total` and `available`, in megabytes (10^6 bytes), None where absent.
    """
    kib = {key: int(value.split()[0]) for key, _, value in (line.partition(":") for line in text.splitlines()) if value}
    return {
        "total": round(kib["MemTotal"] * 1024 / 1e6, 1) if "MemTotal" in kib else None,
        "available": round(kib["MemAvailable"] * 1024 / 1e6, 1) if "MemAvailable" in kib else None,
    }


def usable_cores() -> int | None:
    """Returns how many cores this process may run on (taskset, cpuset), None where the system can't say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def load_average() -> list[float] | None:
    """Returns runnable processes over the last 1, 5 and 15 minutes: another load makes a latency worthless."""
    if not hasattr(os, "getloadavg"):
        return None
    return [round(value, 2) for value in os.getloadavg()]


def operating_system() -> str:
    """Returns the system's name, release and processor kind, without the machine's own name."""
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:  # not Linux, or a bare image without /etc/os-release
        name = ""
    return ", ".join(filter(None, (name, platform.system(), platform.release(), platform.machine())))


def gpu_names() -> list[str]:
    """Returns one line per NVIDIA GPU, "name, driver version, memory", as nvidia-smi tells; empty without one."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Returns the installed versions of the packages named, without importing them; the others are left out."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _khz_to_mhz(text: str) -> float | None:
    return int(text) / 1000 if text.strip().isdigit() else None
