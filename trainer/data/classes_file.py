"""`classes.toml`: what the values in one's own masks mean. Read into a label space; every slip is an error.

name = "yard"                # of the label space; "own" where it is left out
ignore_ids = [0, 255]        # values that are no class; or ignore_colours = [[0, 0, 0]]

[[classes]]                  # the first is label 0, the next 1, ...; at most 255
name = "road"
ids = [7, 300]               # values in the masks, 0 to 65535; or colours = [[128, 64, 128]]
palette = [128, 64, 128]     # to draw it with; its first colour, or one made up, where it is left out
"""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from runtime.errors import DataError
from runtime.spec import IGNORE_ID
from trainer.data.exact_labels import MAX_ID
from trainer.data.label_space import NAMES, Colour, LabelSpace, label_space

FILE = "classes.toml"
DEFAULT_NAME = "own"
MAX_CLASSES = 255  # labels 0..254; 255 is the ignored one
_SHOWN = 200  # characters of a wrong value in a message

_TOP_KEYS = ("name", "classes", "ignore_ids", "ignore_colours")
_CLASS_KEYS = ("name", "ids", "colours", "palette")


def read_classes(data: bytes, where: str) -> LabelSpace:
    """Makes the label space that a `classes.toml` describes.

    Args:
        data: the file's bytes.
        where: its path, for the message.

    Returns:
        A label space with either `ids` or `colours`, as the file has.

    Raises:
        DataError: not TOML, an unknown key, a value of another kind or out of range, a class without a value, a value
            given twice, ids and colours mixed, or the name of a label space that has other classes.
    """
    document = _parse(data, where)
    _check_keys(document, _TOP_KEYS, where)
    entries = _entries(document, where)
    for place, entry in enumerate(entries):
        _check_keys(entry, _CLASS_KEYS, f"{where}: class {place}")
    kind = _kind(document, entries, where)
    label_of = _labels(document, entries, kind, where)
    names = _names(entries, where)
    by_id = kind == "ids"
    values, labels = tuple(label_of), tuple(label_of.values())
    space = LabelSpace(
        name=_text(document.get("name", DEFAULT_NAME), f"{where}: name"),
        classes=names,
        palette=tuple(_palette(entry, place, where) for place, entry in enumerate(entries)),
        members=tuple((name,) for name in names),
        colours=() if by_id else values,
        class_of_colour=() if by_id else labels,
        ids=values if by_id else (),
        class_of_id=labels if by_id else (),
    )
    if space.name in NAMES and space.classes != label_space(space.name).classes:
        raise _fault(f"{where}: name", "a name of your own, or just the classes of that label space", space.name)
    return space


def _parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # some editors put a byte order mark before the text
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise DataError(f"{where}: expected TOML in UTF-8, got text that is not ({error}); correct it") from error


def _entries(document: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    entries = document.get("classes")
    if not isinstance(entries, list) or not _all_tables(entries):
        raise _fault(where, f"1 to {MAX_CLASSES} tables [[classes]]", entries, "add one for each class")
    if not 1 <= len(entries) <= MAX_CLASSES:
        raise DataError(
            f"{where}: expected 1 to {MAX_CLASSES} tables [[classes]], got {len(entries)}; give one for each class"
        )
    return entries


def _check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else "remove it"
            raise DataError(f"{where}: expected the keys {', '.join(known)}, got {_shown(key)}; {advice}")


def _kind(document: Mapping[str, Any], entries: list[dict[str, Any]], where: str) -> str:
    """`ids` or `colours`: whichever the classes have."""
    kinds = {kind for entry in entries for kind in ("ids", "colours") if kind in entry}
    kinds |= {kind for kind in ("ids", "colours") if f"ignore_{kind}" in document}
    if len(kinds) != 1:
        got = "both" if kinds else "neither"
        raise DataError(
            f"{where}: expected ids for all classes, or colours for all, got {got}; masks hold either, name that one"
        )
    return kinds.pop()


def _labels(document: Mapping[str, Any], entries: list[dict[str, Any]], kind: str, where: str) -> dict[Any, int]:
    """The label of each mask value, 255 for what is ignored."""
    label_of: dict[Any, int] = {}
    lists = [(place, entry.get(kind), f"{where}: class {place}: {kind}") for place, entry in enumerate(entries)]
    if (ignored := document.get(f"ignore_{kind}")) is not None:
        lists.append((IGNORE_ID, ignored, f"{where}: ignore_{kind}"))
    for label, values, place in lists:
        for value in _values(values, kind, place):
            if value in label_of:
                raise _fault(place, "each value once in the file", value, "remove one of the two")
            label_of[value] = label
    return label_of


def _values(values: object, kind: str, where: str) -> Iterator[int | Colour]:
    if not isinstance(values, list) or not values:
        raise _fault(where, f"a list of one or more {kind}", values)
    for value in values:
        if kind == "colours":
            yield _colour(value, where)
        elif type(value) is int and 0 <= value <= MAX_ID:  # `type`: true is no id
            yield value
        else:
            raise _fault(where, f"whole numbers from 0 to {MAX_ID}", value)


def _colour(value: object, where: str) -> Colour:
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value):
        return value[0], value[1], value[2]
    raise _fault(where, "colours as [red, green, blue], each 0 to 255", value)


def _names(entries: list[dict[str, Any]], where: str) -> tuple[str, ...]:
    names = tuple(_text(entry.get("name"), f"{where}: class {place}: name") for place, entry in enumerate(entries))
    for name in names:
        if names.count(name) > 1:
            raise _fault(where, "each class name once", name, "name them apart")
    return names


def _palette(entry: Mapping[str, Any], place: int, where: str) -> Colour:
    if "palette" in entry:
        return _colour(entry["palette"], f"{where}: class {place}: palette")
    return _colour(entry["colours"][0], where) if "colours" in entry else made_up_colour(place)


def made_up_colour(label: int) -> Colour:
    """A colour for a label, all of them different, none black.

    Source: the colour map of the PASCAL VOC development kit (its function VOClabelcolormap): the bits of the number,
    three by three, become the highest bits of red, green and blue.
    """
    number, channels = label + 1, [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]


def _text(value: object, where: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise _fault(where, "text", value)


def _all_tables(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) for entry in entries)


def _fault(where: str, expected: str, got: object, advice: str = "correct it") -> DataError:
    return DataError(f"{where}: expected {expected}, got {'nothing' if got is None else _shown(got)}; {advice}")


def _shown(got: object) -> str:
    """A stranger's value in one line of a message."""
    try:
        text = repr(got)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
