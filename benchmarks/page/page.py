"""One HTML page from bench records: it needs no network, runs no script, and opens with the answer."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page.against import accuracy_section, peers_section, sweep_section
from benchmarks.page.headline import Headline, headlines
from benchmarks.page.inside import cold_start_section, soak_section, stages_section
from benchmarks.page.markup import Markup, element
from benchmarks.page.medians import distinct_files, median_ms
from benchmarks.page.numbers import moment
from benchmarks.page.pace import Results, camera_section, offline_section, single_stream_section
from benchmarks.page.setting import files_section, gates_section, machine_section, notes_section
from benchmarks.page.style import STYLE
from benchmarks.record import SCHEMA_VERSION
from runtime.errors import DataError

_WORDS = {
    "holds": "✓ Yes.",
    "fails": "✗ No.",
    "unproven": "Not proven.",
    "passed": "✓ Passed.",
    "refused": "✗ Failed.",
    "open": "",
}


def page(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns the page of one record, or of several that belong together; sections without data are left out.

    Args:
        records: of benches, schema 2, as `bench_record` makes them or JSON brings them back.

    Returns:
        A whole HTML document, UTF-8 when written.

    Raises:
        DataError: there is no record, or one is not a bench of this schema.
    """
    check_records(records)
    files = [file for record in records for file in record["files"]]
    title = ", ".join(dict.fromkeys(file["file"] for file in files))
    times = sorted({moment(record["time_utc"]) for record in records})
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy(STYLE)}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", {}, f"segtool bench: {title}"),
        element("style", {}, Markup(STYLE)),
    )
    opening = element(
        "header",
        {},
        element("p", {"class": "kicker"}, f"segtool bench · {' to '.join(dict.fromkeys((times[0], times[-1])))}"),
        element("h1", {}, _question(records)),
        *(_verdict(headline) for headline in headlines(records)),
    )
    scenarios = ", ".join(dict.fromkeys(record["scenario"] for record in records))
    frames = "; ".join(dict.fromkeys(_frames(record["frames"]) for record in records))
    closing = element("footer", {}, element("p", {}, f"Scenarios: {scenarios}. Frames: {frames}."))
    body = element("body", {}, opening, element("main", {}, *_sections(records)), closing)
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, head, body)}\n"


def require_drawable(path: Path, record: Mapping[str, Any]) -> None:
    """Refuses a record that lacks what the page shows, as an older or a shortened one may.

    Args:
        path: where it was read, for the message.
        record: from `benchmarks.gates.records.read_record`.

    Raises:
        DataError: it does.
    """
    try:
        page([record])
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(
            f"{path}: a whole bench record was expected, got one that can't be drawn ({type(error).__name__}: "
            f"{error}); measure it again with `segtool bench --json`"
        ) from error


def policy(style: str) -> str:
    """Returns the page's content security policy: nothing but this very style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def check_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Refuses what this page was not made for.

    Raises:
        DataError: there is no record, or one is not a bench of this schema.
    """
    if not records:
        raise DataError("page: one bench record or more was expected, got none; run `segtool bench FILE.onnx` first")
    for place, record in enumerate(records, start=1):
        kind, version = record.get("kind"), record.get("schema_version")
        if (kind, version) != ("bench", SCHEMA_VERSION):
            raise DataError(
                f"record {place} of {len(records)}: kind 'bench' of schema {SCHEMA_VERSION} was expected, "
                f"got {kind!r} of schema {version!r}; run `segtool bench` again with this version"
            )


def _sections(records: Sequence[Mapping[str, Any]]) -> list[Markup]:
    makers: dict[str, Callable[[Results], Markup]] = {
        "camera": camera_section,
        "single-stream": single_stream_section,
        "stages": stages_section,
        "peers": peers_section,
        "cold-start": cold_start_section,
        "soak": soak_section,
        "offline": offline_section,
    }
    found = []
    if any(record["gates"] for record in records):
        found.append(gates_section(records))
    for scenario, make in makers.items():
        if results := _results(records, scenario):
            found.append(make(results))
    if points := _results(records, "sweep"):
        found.append(sweep_section(points, [grown for record in records for grown in record.get("growth", ())]))
    scored = [(file, median_ms(records, file)) for file in distinct_files(records) if file["accuracy"] is not None]
    if scored:
        found.append(accuracy_section(scored))
    found += [files_section(distinct_files(records)), machine_section(records)]
    if any(record["notes"] for record in records):
        found.append(notes_section(records))
    return found


def _results(records: Sequence[Mapping[str, Any]], scenario: str) -> Results:
    return [
        (record["files"][result["file"]], result)
        for record in records
        if record["scenario"] == scenario
        for result in record["results"]
    ]


def _question(records: Sequence[Mapping[str, Any]]) -> str:
    if any(record["scenario"] == "camera" for record in records):
        return "Does it hold the camera's pace?"
    return "Is it good enough?" if any(record["gates"] for record in records) else "What was found"


def _verdict(headline: Headline) -> Markup:
    return element(
        "div",
        {"class": f"verdict {headline.verdict}"},
        element(
            "p",
            {"class": "lead"},
            element("span", {"class": "word"}, _WORDS[headline.verdict]),
            f" {headline.sentence}",
        ),
        element("p", {}, headline.detail),
    )


def _frames(frames: Mapping[str, Any]) -> str:
    return f"{frames['distinct']} different, {frames['from']}"
