"""Checks plain values against the type hints of a settings dataclass. Knows no particular settings, and no torch."""

import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from runtime.errors import UsageError

Label = Callable[
    [str], str
]  # a dotted key such as "loss.kind" -> what a message calls it: "--loss", "a.toml: loss.kind"

NONE = "none"  # how a layer says None: TOML has no null
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "a table",
}


def check_settings(values: Mapping[str, Any], settings: type, prefix: str, label: Label) -> dict[str, Any]:
    """Returns the values as the dataclass wants them: whole numbers as floats, lists as tuples, "none" as None.

    Args:
        values: plain values by field name; fields that are not there keep their default.
        settings: a dataclass.
        prefix: of the dotted keys, "" or ending in ".".
        label: what a message calls a key.

    Raises:
        UsageError: a key is no field, or a value has another type than its field.
    """
    hints = get_type_hints(settings)
    require_known(values, hints, prefix, label)
    return {key: check_value(value, hints[key], label(prefix + key)) for key, value in values.items()}


def require_known(keys: Iterable[str], known: Iterable[str], prefix: str, label: Label) -> None:
    """Refuses a key that is not known, with the one it looks like.

    Raises:
        UsageError: there is one.
    """
    known = tuple(known)
    for key in keys:
        if key not in known:
            raise UsageError(f"{label(prefix + key)} is not known here; {suggestion(key, known)}")


def suggestion(key: str, known: Iterable[str]) -> str:
    """What to do about a key that is not known: the one it looks like, else all that there are."""
    known = tuple(known)
    similar = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {similar[0]}?" if similar else f"choose among {', '.join(known)}"


def check_value(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401 (whatever a file holds)
    """Returns one value as its type hint wants it.

    Args:
        value: out of a file or a flag.
        hint: int, float, bool, str, dict, a Literal of texts, a tuple, or one of these or None.
        name: what a message calls the value.

    Raises:
        UsageError: the value has another type.
    """
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(each for each in get_args(hint) if each is not type(None))
        return None if value in (None, NONE) else check_value(value, inner, name)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UsageError(f"{name} must be one of {', '.join(map(str, get_args(hint)))}, got {value!r}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{name} must be a list such as [32, 48], got {_described(value)}")
        return tuple(check_value(each, get_args(hint)[0], name) for each in value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:  # a bool is an int to isinstance
        raise UsageError(f"{name} must be {_WORDS.get(hint, hint)}, got {_described(value)}")
    return value


def parse_size(value: object, name: str) -> tuple[int, int]:
    """Reads 256, "256" or "512x256" (WIDTHxHEIGHT) as height and width in pixels.

    Raises:
        UsageError: the value is none of these.
    """
    parts = str(value).lower().split("x")
    if type(value) in (int, str) and len(parts) in (1, 2) and all(part.isascii() and part.isdigit() for part in parts):
        return int(parts[-1]), int(parts[0])
    raise UsageError(f"{name} must be a number or WIDTHxHEIGHT, got {value!r}; for example 256 or 512x256")


def _described(value: object) -> str:
    return f"{value!r} ({_WORDS.get(type(value), type(value).__name__)})"
