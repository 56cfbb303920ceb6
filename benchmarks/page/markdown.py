"""A Markdown table of bench records, and the block of a Markdown file that it renews."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page.medians import distinct_files, result_of
from benchmarks.page.numbers import count, plain, size
from benchmarks.page.page import check_records
from runtime.errors import DataError
from runtime.files import write_whole


def markdown_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table with one row for each measured file, its columns aligned so that the source reads as well.

    Columns of accuracy and parity are left out where no file has any.

    Args:
        records: of benches, schema 2.

    Raises:
        DataError: there is no record, or one is not a bench of this schema.
    """
    check_records(records)
    files = distinct_files(records)
    columns = {
        "file": [_escaped(file["file"]) for file in files],
        "size": [size(file) for file in files],
        "precision": [file["precision"] for file in files],
        "threads": [str(file["threads"] or "default") for file in files],
        "provider": [file["provider"] for file in files],
        "p50, ms": [_percentile(records, file, "p50") for file in files],
        "p99, ms": [_percentile(records, file, "p99") for file in files],
        "frames/s": [_frames_per_s(records, file) for file in files],
    }
    if any(file["accuracy"] for file in files):
        columns["mean IoU"] = [f"{file['accuracy']['mean_iou']:.4f}" if file["accuracy"] else "-" for file in files]
    if any(file.get("parity") for file in files):
        columns["labels as trained"] = [_parity(file) for file in files]
    words = 5
    widths = [max(len(name), *map(len, cells)) for name, cells in columns.items()]
    rules = ["-" * width if place < words else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join(_row(cells, widths, words) for cells in ([*columns], rules, *zip(*columns.values(), strict=True)))


def replace_block(text: str, name: str, table: str) -> str:
    """Returns Markdown with what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` renewed.

    Args:
        text: of the whole file; all but the block is kept to the letter.
        name: of the block.
        table: put between the markers, on lines of its own.

    Raises:
        DataError: a marker is absent, there more than once, or they stand in the wrong order.
    """
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    for marker in (begin, end):
        if text.count(marker) != 1:
            raise DataError(
                f"bench:{name}: the marker {marker} was expected once, it stands there {text.count(marker)} times; "
                f"write {begin} and {end} once each, around where the table is to be"
            )
    before, rest = text.split(begin)
    if end not in rest:
        raise DataError(f"bench:{name}: {begin} was expected before {end}, it comes after; put them in that order")
    after = rest.split(end)[1]
    return f"{before}{begin}\n{table}\n{end}{after}"


def renew_file(path: Path, name: str, table: str) -> None:
    """Renews a block of a Markdown file in place; the file is the old one or the new one, never a part of either.

    Args:
        path: the file, UTF-8.
        name: of the block.
        table: as `markdown_table` gives it.

    Raises:
        DataError: the file can't be read, or its markers are not as `replace_block` needs them.
        StorageError: it could not be written.
    """
    write_whole(path, _renewed(path, name, table).encode())


def require_block(path: Path, name: str) -> None:
    """Looks whether a block can be renewed, before what it is to show is measured.

    Raises:
        DataError: as `renew_file`.
    """
    _renewed(path, name, "")


def _renewed(path: Path, name: str, table: str) -> str:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: a Markdown file in UTF-8 was expected, but {error}; correct the path") from error
    try:
        return replace_block(text, name, table)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _percentile(records: Sequence[Mapping[str, Any]], file: Mapping[str, Any], name: str) -> str:
    found = result_of(records, file)
    if found is None:
        return "-"
    _, summary = found
    if name in summary["percentiles"]:
        return plain(summary["percentiles"][name])
    needed = summary["withheld"].get(name)
    return "-" if needed is None else f"needs {count(needed)} frames"


def _frames_per_s(records: Sequence[Mapping[str, Any]], file: Mapping[str, Any]) -> str:
    found = result_of(records, file)
    return "-" if found is None else plain(found[0].get("frames_per_s"), 1)


def _parity(file: Mapping[str, Any]) -> str:
    parity = file.get("parity")
    return f"{100 * parity['agreement']:.3f} %" if parity else "-"


def _row(cells: Sequence[str], widths: Sequence[int], words: int) -> str:
    padded = [
        cell.ljust(width) if place < words else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _escaped(name: str) -> str:
    """Returns a file's name as a cell: nothing in it ends the cell or the line, or is read as markup or as a marker."""
    kept = "".join(character if character.isprintable() else "?" for character in name).replace("<!--", "")
    for character in "\\`*_[]<>|":
        kept = kept.replace(character, f"\\{character}")
    return kept
