from dataclasses import dataclass
from typing import Any, Literal

import pytest

from runtime.errors import UsageError
from trainer.settings.checks import check_settings, parse_size


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One field of each kind that a settings dataclass has."""

    count: int = 1
    share: float = 0.5
    gates: bool = False
    name: str = "a"
    kind: Literal["round", "flat"] = "round"
    limit: int | None = None
    channels: tuple[int, ...] = (1,)


def checked(**values: Any) -> dict[str, Any]:
    return check_settings(values, Sample, "part.", lambda key: f"a.toml: {key}")


def test_check_settings_values_of_the_right_kind_come_as_the_dataclass_wants_them() -> None:
    values = {"count": 3, "share": 2, "gates": True, "name": "b", "kind": "flat", "limit": "none", "channels": [8, 16]}
    made = checked(**values)
    assert made == {**values, "share": 2.0, "limit": None, "channels": (8, 16)}
    assert type(made["share"]) is float
    assert checked(limit=7) == {"limit": 7}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": True}, r"a.toml: part.count must be a whole number, got True \(true or false\)"),
        ({"count": 1.5}, r"part.count must be a whole number, got 1.5 \(a number\)"),
        ({"count": "3"}, r"part.count must be a whole number, got '3' \(a text\)"),
        ({"share": "half"}, r"part.share must be a number, got 'half'"),
        ({"share": False}, r"part.share must be a number, got False"),
        ({"gates": 1}, r"part.gates must be true or false, got 1 \(a whole number\)"),
        ({"name": 4}, r"part.name must be a text, got 4"),
        ({"kind": "square"}, r"part.kind must be one of round, flat, got 'square'"),
        ({"limit": True}, r"part.limit must be a whole number, got True"),
        ({"channels": 8}, r"part.channels must be a list such as \[32, 48\], got 8"),
        ({"channels": [8, 1.5]}, r"part.channels must be a whole number, got 1.5"),
        ({"coutn": 1}, r"a.toml: part.coutn is not known here; did you mean count\?"),
        ({"zzz": 1}, r"part.zzz is not known here; choose among count, share"),
    ],
)
def test_check_settings_what_does_not_fit_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked(**values)


@pytest.mark.parametrize(("text", "size"), [("256", (256, 256)), (128, (128, 128)), ("512X256", (256, 512))])
def test_parse_size_gives_height_and_width(text: object, size: tuple[int, int]) -> None:
    assert parse_size(text, "--size") == size


@pytest.mark.parametrize("value", ["", "12x", "1x2x3", "-5", "٣", 2.5, True, [256, 128], "256.0"])
def test_parse_size_something_else_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="--size must be a number or WIDTHxHEIGHT, got "):
        parse_size(value, "--size")
