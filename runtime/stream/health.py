"""A Stream's health, read without a lock: nothing that runs, loads or hangs can hold it up."""

from .core import Core
from .courier import Courier
from .result import StreamHealth

QUIET_AGES = 3
"""How many times the age at which a frame is stale a camera may be without an answer: one at 10 Hz has 100 ms between
two of them, so that its health would flicker at 1."""


def read_health(core: Core, courier: Courier, now_ns: int, quiet_after_ms: float) -> StreamHealth:
    """What is so now.

    Args:
        core: of the stream.
        courier: likewise.
        now_ns: of the stream's clock.
        quiet_after_ms: a camera that had no answer for longer is quiet, and that is a reason.
    """
    desks = core.mailbox.desks.copy()  # in one go: another thread may open one meanwhile
    stuck, segmenter = core.stuck, core.models.current.segmenter
    reasons = [stuck] if stuck else []
    reasons += segmenter.health().reasons
    for camera, desk in desks.items():
        silent_ms = desk.silent_ms(now_ns)
        if silent_ms > quiet_after_ms:
            reasons.append(f"camera {camera}: no answer for {silent_ms:.0f} ms, over the {quiet_after_ms:g} ms allowed")
    return StreamHealth(
        stale=bool(reasons),
        reasons=tuple(reasons),
        stuck=stuck,
        cameras={camera: desk.counts for camera, desk in desks.items()},
        quiet_ms={camera: desk.quiet_ms(now_ns) for camera, desk in desks.items()},
        undelivered=courier.undelivered,
        provider=segmenter.provider,
        sha256=segmenter.sha256,
        can_roll_back=core.models.can_go_back(),
    )
