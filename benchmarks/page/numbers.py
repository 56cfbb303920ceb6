"""Numbers as a reader meets them on the page: with their unit, as many digits as they deserve, columns aligned."""

from collections.abc import Mapping
from typing import Any


def ms(value: float | None) -> str:
    """Returns a time for a sentence or a label: three digits, "6.54 ms", "21.0 ms", "1,250 ms"; "-" for None."""
    if value is None:
        return "-"
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{decimals}f} ms"


def plain(value: float | None, decimals: int = 2) -> str:
    """Returns a number for a column whose head names the unit; "-" for None."""
    return "-" if value is None else f"{value:,.{decimals}f}"


def count(value: float) -> str:
    """Returns a whole number with its thousands set apart."""
    return f"{int(value):,}"


def share(part: float, whole: float) -> str:
    """Returns a part in per cent, with decimals enough that a part above nothing never reads as 0 %."""
    per_cent = 100 * part / whole if whole else 0.0
    if per_cent == 0 or per_cent >= 1:
        return f"{per_cent:.3g} %"
    return f"{per_cent:.1g} %" if per_cent >= 1e-4 else "less than 0.0001 %"


def per_cent(fraction: float) -> str:
    """Returns a share of 1 for a column: always one decimal."""
    return f"{100 * fraction:.1f} %"


def rate(value: float) -> str:
    """Returns a rate in hertz without needless zeros: "30 Hz", "29.97 Hz"."""
    return f"{value:g} Hz"


def size(mapping: Mapping[str, Any]) -> str:
    """Returns WIDTHxHEIGHT of what has `width_px` and `height_px`."""
    return f"{mapping['width_px']}x{mapping['height_px']}"


def megabytes(value: float) -> str:
    """Returns bytes as megabytes (10^6)."""
    return f"{value / 1e6:.2f} MB"


def several(value: float, one: str, many: str | None = None) -> str:
    """Returns a count with its noun: "1 miss", "2 misses"."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def moment(utc: str) -> str:
    """Returns an ISO 8601 time in UTC to the minute: "2026-11-23 04:20 UTC"."""
    return f"{utc[:16].replace('T', ' ')} UTC"
