"""What the runtime tells while it works: stable codes, to the `logging` of Python and to one callback where given."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_log = logging.getLogger(__package__)
_log.addHandler(logging.NullHandler())  # who sets up no logging is not written to

EVENTS: dict[str, int] = {
    "segmenter.ready": logging.INFO,
    "segmenter.failed": logging.ERROR,
    "segmenter.closed": logging.INFO,
    "segmenter.note": logging.WARNING,
    "segmenter.selftest_skipped": logging.WARNING,
    "segmenter.cpu_allowed": logging.WARNING,
    "engine.error": logging.ERROR,
    "engine.lost": logging.CRITICAL,
    "stream.hung": logging.CRITICAL,
    "stream.device_lost": logging.CRITICAL,
    "stream.recovered": logging.WARNING,
    "stream.replaced": logging.INFO,
    "stream.replace_failed": logging.ERROR,
    "stream.rolled_back": logging.WARNING,
    "stream.callback_failed": logging.ERROR,
    "stream.closed": logging.INFO,
}
"""Every code and its level in `logging`. Codes are never renamed; new ones may come."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that an operator may want to know.

    Attributes:
        code: one of EVENTS.
        text: a sentence.
        facts: what it is about, as plain values.
    """

    code: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


OnEvent = Callable[[Event], object]


def tell(on_event: OnEvent | None, code: str, text: str, facts: Mapping[str, object] | None = None) -> None:
    """Logs an event and hands it to the callback.

    What a callback raises is logged and goes no further: a listener must not be able to stop a vehicle's labels.

    Args:
        on_event: the caller's; None where it wants none.
        code: one of EVENTS.
        text: a sentence.
        facts: plain values.
    """
    _log.log(EVENTS[code], "%s: %s", code, text)
    if on_event is None:
        return
    try:
        on_event(Event(code=code, text=text, facts=dict(facts or {})))
    except (Exception, SystemExit):  # noqa: BLE001  # sys.exit() would end no process here, only the thread that tells
        _log.exception("%s: the event callback failed", code)
