"""What sections are built of: a chart at two widths under a caption, a section, and the table of percentiles."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.page.markup import Markup, element, joined, table
from benchmarks.page.numbers import count, plain

WIDE_PX, NARROW_PX = 760, 328  # of a page on a desk or on paper, and of a phone's: text is as large on both

# the upper estimate of MLPerf's early stopping
BOUND = "; below each percentile, what it is at most with 99 % confidence"


class Draw(Protocol):
    """A chart with all but its width given."""

    def __call__(self, *, width_px: int) -> Markup:
        """Returns the chart."""


def figure(draw: Draw, caption: str) -> Markup:
    """Returns a chart drawn for a wide and for a narrow page, of which the style sheet shows one.

    Args:
        draw: draws the chart at a width.
        caption: how to read it.
    """
    return element(
        "figure",
        {},
        element("div", {"class": "wide"}, draw(width_px=WIDE_PX)),
        element("div", {"class": "narrow"}, draw(width_px=NARROW_PX)),
        element("figcaption", {}, caption),
    )


def section(title: str, *content: str, intro: str = "") -> Markup:
    """Returns a titled part of the page."""
    opening = element("p", {}, intro) if intro else Markup("")
    return element("section", {}, element("h2", {}, title), opening, *content)


def part(title: str, *content: str, intro: str = "") -> Markup:
    """Returns a titled part of a section."""
    opening = element("p", {}, intro) if intro else Markup("")
    return joined(element("h3", {}, title), opening, *content)


def percentiles(caption: str, columns: Sequence[tuple[str, Mapping[str, Any]]]) -> Markup:
    """Returns summaries side by side; a percentile without enough frames says how many it would have taken.

    Args:
        caption: of the table.
        columns: the name of each, and its SUMMARY of the record.
    """
    summaries = [summary for _, summary in columns]
    rows: list[list[str]] = [
        ["min", *(plain(summary["min"]) for summary in summaries)],
        ["mean", *(plain(summary["mean"]) for summary in summaries)],
        *([name, *(percentile(summary, name) for summary in summaries)] for name in percentile_names(*summaries)),
        ["max", *(plain(summary["max"]) for summary in summaries)],
    ]
    return table(caption, ["", *(name for name, _ in columns)], rows)


def percentile_names(*summaries: Mapping[str, Any]) -> list[str]:
    """Returns the names of all percentiles, known or withheld, in their order."""
    found = {name for summary in summaries for key in ("percentiles", "withheld") for name in summary[key]}
    return sorted(found, key=lambda name: float(name.removeprefix("p")))


def percentile(summary: Mapping[str, Any], name: str) -> Markup:
    """Returns a percentile and its upper estimate as a table's cell; withheld, how many frames it would have taken."""
    if name not in summary["percentiles"]:
        needed = summary["withheld"].get(name)
        told = "withheld" if needed is None else f"withheld: needs {count(needed)}"
        return element("span", {"class": "withheld"}, told)
    bound = summary.get("early_stopping", {}).get(name)
    below = Markup("") if bound is None else element("span", {"class": "bound"}, f"at most {plain(bound)}")
    return joined(plain(summary["percentiles"][name]), below)
