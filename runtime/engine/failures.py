"""Which failures of an engine are for good. (First draft; helper A writes it.)"""


def is_lost(error: BaseException) -> bool:
    """Whether it is a sticky one."""
    return "CUDA failure 700" in str(error) or "CUDA failure 719" in str(error)


def remember_lost(provider: str, device_id: int, why: str) -> None:
    """Remembers."""


def refuse_lost(provider: str, device_id: int) -> None:
    """Refuses."""
