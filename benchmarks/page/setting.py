"""Sections on what a measurement belongs to: gates, files, machine, its state before and after, and remarks."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.page.figures import section
from benchmarks.page.headline import machine_line
from benchmarks.page.markup import Markup, element, facts, joined, table
from benchmarks.page.numbers import count, megabytes, moment, plain, size

Record = Mapping[str, Any]


def gates_section(records: Sequence[Record]) -> Markup:
    """Returns what was asked of the figures, and whether they hold; what does not comes first."""
    gates = sorted((gate for record in records for gate in record["gates"]), key=lambda gate: gate["ok"])
    rows = [[_verdict(gate["ok"]), gate["name"], gate["limit"], gate["got"]] for gate in gates]
    return section(
        "Gates", table("What was asked, and what was found", ["", "gate", "limit", "found"], rows, words=range(4))
    )


def files_section(files: Sequence[Mapping[str, Any]]) -> Markup:
    """Returns what was measured: each file with its hash, and how the engine ran it."""
    return section("Files", *(_file(file) for file in files))


def machine_section(records: Sequence[Record]) -> Markup:
    """Returns the machine of each record, one after another where they differ, and its state around each run."""
    machines: dict[str, list[Record]] = {}
    for record in records:
        machines.setdefault(repr(_lasting(record)), []).append(record)
    told = []
    for alike in machines.values():
        which = element("h3", {}, ", ".join(record["scenario"] for record in alike))
        told.append(which if len(machines) > 1 else Markup(""))
        told.append(facts([(_words(key), shown) for key, shown in flat(_lasting(alike[0]))]))
    return section(
        "Machine",
        *told,
        *(_state(record) for record in records if any(record["state"].values())),
        intro=f"{'; '.join(dict.fromkeys(machine_line(record['machine']) for record in records))}.",
    )


def notes_section(records: Sequence[Record]) -> Markup:
    """Returns the remarks of all records, each once."""
    notes = list(dict.fromkeys(note for record in records for note in record["notes"]))
    return section("Remarks", element("ul", {}, *(element("li", {}, note) for note in notes)))


def flat(value: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Returns nested JSON as rows of a dotted name and text; what is None or empty is left out.

    Args:
        value: a JSON object.
        above: name before each of its own.
    """
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{above} {key}".strip()
        if isinstance(item, Mapping):
            rows += flat(item, name)
        elif isinstance(item, list) and item and isinstance(item[0], Mapping):
            for place, part in enumerate(item):
                rows += flat(part, f"{name} {place}")
        elif item is not None and item != [] and item != "":
            rows.append((name, _shown(item)))
    return rows


_PASSING = {"load_average", "clock_mhz", "memory_mb"}  # of the moment, not of the machine: `state` has them
_UNITS = {"ms": "ms", "s": "s", "mb": "MB", "mhz": "MHz", "w": "W", "c": "°C"}


def _file(file: Mapping[str, Any]) -> Markup:
    rows = [
        (
            "network",
            ", ".join(filter(None, (file["network"], size(file), f"{file['classes']} classes", file["precision"]))),
        ),
        ("size of the file", megabytes(file["bytes"])),
        ("sha256", element("span", {"class": "hash"}, file["sha256"])),
        ("provider", f"{file['provider']}, threads {file['threads'] or 'as the engine chooses'}"),
        *_door(file),
    ]
    options = ", ".join(f"{_words(key)}: {shown}" for key, shown in flat(file["options"]))
    nodes = (file["placement"] or {}).get("nodes")
    placed = ", ".join(f"{provider}: {count(number)} nodes" for provider, number in (nodes or {}).items())
    rows += [(name, told) for name, told in (("placement", placed), ("options", options)) if told]
    return joined(element("h3", {}, file["file"]), facts(rows))


def _door(file: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if file["batch"] > 1:
        rows.append(("batch", f"{count(file['batch'])} frames a call"))
    if file["camera"] is not None:
        rows.append(("camera", f"{size(file['camera'])} {file['camera']['layout']}"))
    confidence = " and confidence" if file["confidence"] else ""
    return [*rows, ("gives", f"labels{confidence} at {file['labels_width_px']}x{file['labels_height_px']}")]


def _lasting(record: Record) -> dict[str, Any]:
    return {key: value for key, value in record["machine"].items() if key not in _PASSING}


def _state(record: Record) -> Markup:
    before, after = (dict(flat(record["state"][when])) for when in ("before", "after"))
    names = list(dict.fromkeys([*before, *after]))
    rows = [[_words(name), before.get(name, "-"), after.get(name, "-")] for name in names]
    return table(
        f"State around {record['scenario']}, {moment(record['time_utc'])}",
        ["", "before", "after"],
        rows,
    )


def _verdict(ok: bool) -> Markup:
    return element("span", {"class": f"word {'holds' if ok else 'fails'}"}, "✓ holds" if ok else "✗ fails")


def _words(name: str) -> str:
    """Returns a key of a record as words, its unit last: `clock_mhz min` is "clock min, MHz"."""
    words = name.replace("_", " ").split()
    unit = next((word for word in words[1:] if word in _UNITS), None)
    if unit is None:
        return " ".join(words)
    words.remove(unit)
    return f"{' '.join(words)}, {_UNITS[unit]}"


def _shown(item: object) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return plain(item).rstrip("0").rstrip(".")
    if isinstance(item, int):
        return count(item)
    if isinstance(item, (list, tuple)):
        return ", ".join(_shown(part) for part in item)
    return str(item)
