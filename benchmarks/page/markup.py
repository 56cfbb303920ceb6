"""HTML and SVG as strings that cannot be got wrong by a name in a record: what is not `Markup` is escaped."""

from collections.abc import Collection, Mapping, Sequence
from html import escape

VOID = frozenset({"meta", "br", "rect", "line", "circle", "path", "polyline", "polygon"})


class Markup(str):
    """Text that is markup already. Only this module's functions make it; everything else is data."""

    __slots__ = ()


def element(name: str, attributes: Mapping[str, object], *children: str) -> Markup:
    """Returns one element.

    Args:
        name: of the element.
        attributes: by name; numbers as short as a hundredth of a pixel allows; escaped.
        children: `Markup` as it is, any other text escaped.
    """
    written = "".join(f' {key}="{escape(_value(value))}"' for key, value in attributes.items())
    if name in VOID and not children:
        return Markup(f"<{name}{written}>" if name in {"meta", "br"} else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Returns `Markup` as it is and any other text escaped, one after another."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Collection[int] = (0,)) -> Markup:
    """Returns a table in a box that scrolls by itself where it is wider than the page.

    Args:
        caption: what it shows.
        head: a name for each column.
        rows: of cells; the first cell of each names its row.
        words: places of the columns that hold words; the others hold numbers, set flush right.
    """

    def kind(column: int) -> dict[str, object]:
        return {} if column in words else {"class": "number"}

    names = [element("th", {"scope": "col", **kind(column)}, name) for column, name in enumerate(head)]
    body = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, row[0]),
            *(element("td", kind(column), cell) for column, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    whole = element(
        "table",
        {},
        element("caption", {}, element("span", {}, caption)),
        element("thead", {}, element("tr", {}, *names)),
        element("tbody", {}, *body),
    )
    # a box that scrolls must be reachable by keyboard, and say what it is
    return element("div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}, whole)


def facts(rows: Sequence[tuple[str, str]]) -> Markup:
    """Returns names and what they are, as a list of definitions."""
    pairs = [element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in rows]
    return element("dl", {}, *pairs)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
