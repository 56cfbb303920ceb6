"""Writes a record as a JSON file, whole or not at all. Needs no torch: every floor above may call it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from runtime.files import write_whole


def write_json(path: Path, record: Mapping[str, object]) -> None:
    """Writes `record` as indented UTF-8 JSON with a newline at the end.

    Args:
        path: the file.
        record: a JSON object; NaN is refused, since no other reader would take it.

    Raises:
        StorageError: the file could not be written; an older one is untouched.
        ValueError: a number is not finite.
    """
    write_whole(path, json_bytes(record))


def json_bytes(record: Mapping[str, object]) -> bytes:
    """What `write_json` writes.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    # a file name that is no UTF-8 holds lone surrogates; escaped they are what JSON writes for them
    return f"{text}\n".encode(errors="backslashreplace")


def number(value: float) -> float | None:
    """A number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
