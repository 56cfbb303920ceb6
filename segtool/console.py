"""What a command prints: text and tables on stdout, one line on stderr for a problem. Knows no command."""

import re
import sys
from collections.abc import Sequence

import click
import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240  # columns, where no terminal gives a width: rows stay whole for grep and for a log

_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+( ?(%|ms|s|MB|GB|kB|bytes|MHz|frames/s))?")
_NO_NUMBER = ("", "-")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError that rich is handling when it calls this; rich's own version exits with 1


def say(text: str = "") -> None:
    """Prints one text on stdout, as it is."""
    click.echo(text)


def complain(text: str) -> None:
    """Prints one problem as one line on stderr, whatever newlines it holds."""
    click.echo(f"segtool: {' '.join(text.split())}", err=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table on stdout; columns of numbers stand to the right.

    Args:
        title: stands above the table.
        columns: one heading per column; all empty for a table without headings.
        rows: cells, printed with `str`, as many as there are columns.
    """
    table = Table(box=rich.box.SIMPLE_HEAD, show_header=any(columns))
    cells = [[str(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        table.add_column(
            Text(column), justify="right" if _is_numeric([row[index] for row in cells]) else "left", overflow="fold"
        )
    for row in cells:
        table.add_row(*[Text(cell) for cell in row])  # Text: a path or a shape in [brackets] is no markup
    console = _Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    with console.capture() as capture:
        console.print(table)
    click.echo(click.style(title, bold=True))  # not the table's own title, which is cut to the table's width
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _is_numeric(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell not in _NO_NUMBER]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
