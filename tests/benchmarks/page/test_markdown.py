import re
from pathlib import Path

import pytest

from benchmarks.page.markdown import markdown_table, renew_file, replace_block
from runtime.errors import DataError

README = (
    "# a\n\n<!-- bench:latency -->\nold\n<!-- /bench:latency -->\n\n<!-- bench:other -->\nkept\n<!-- /bench:other -->\n"
)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]


def test_markdown_table_has_a_row_for_each_file(make) -> None:
    files = make["scored files"]()
    record = make["single-stream"](files=files)
    head, _, *rows = cells(markdown_table([record]))
    assert head == ["file", "size", "precision", "threads", "provider", "p50, ms", "p99, ms", "frames/s", "mean IoU"]
    assert [row[0] for row in rows] == [file["file"] for file in files]
    assert rows[0][5] == f"{record['results'][0]['latency_ms']['percentiles']['p50']:.2f}"
    assert rows[0][8] == "0.6623"


def test_markdown_table_withheld_percentile_says_what_it_needs(make) -> None:
    _, _, row = cells(markdown_table([make["single-stream"](frames=100)]))
    assert row[6] == "needs 662 frames"


def test_markdown_table_unknown_columns_are_left_out_and_known_ones_shown(make) -> None:
    bare = make["single-stream"](files=[make["file"](accuracy=None)])
    assert "IoU" not in markdown_table([bare])
    proven = make["single-stream"](files=[make["file"](parity={"passed": True, "agreement": 0.99461})])
    head, _, row = cells(markdown_table([proven]))
    assert (head[-1], row[-1]) == ("labels as trained", "99.461 %")


def test_markdown_table_lines_are_of_one_length(make) -> None:
    lines = markdown_table([make["single-stream"](files=make["scored files"]())]).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_markdown_table_name_cannot_end_its_cell_or_the_block(make) -> None:
    evil = "a|b\n<!-- /bench:latency --><script>.onnx"
    made = markdown_table([make["single-stream"](files=[make["file"](evil)])])
    assert len(made.splitlines()) == 3
    assert len(cells(made)[2]) == len(cells(made)[0])
    assert "<!--" not in made.replace("\\<", "")
    assert "kept" in replace_block(README, "latency", made)
    assert replace_block(replace_block(README, "latency", made), "latency", "new") == replace_block(
        README, "latency", "new"
    )


def test_replace_block_changes_that_block_alone() -> None:
    assert replace_block(README, "latency", "new") == README.replace("old", "new")


def test_replace_block_twice_is_once() -> None:
    once = replace_block(README, "latency", "new")
    assert replace_block(once, "latency", "new") == once


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing", r"<!-- bench:latency --> was expected once, it stands there 0 times; write"),
        (README + README, r"<!-- bench:latency --> was expected once, it stands there 2 times; write"),
        ("<!-- bench:latency -->", r"<!-- /bench:latency --> was expected once, it stands there 0 times; write"),
        ("<!-- /bench:latency --> <!-- bench:latency -->", r"was expected before .* it comes after; put them"),
    ],
)
def test_replace_block_bad_markers_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace_block(text, "latency", "new")


def test_renew_file_writes_it_and_keeps_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(README.replace("kept", "kept\r").encode())
    renew_file(path, "latency", "| new |")
    assert path.read_bytes() == README.replace("kept", "kept\r").replace("old", "| new |").encode()


def test_renew_file_without_markers_names_the_file_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# a")
    with pytest.raises(DataError, match=r"README\.md: bench:latency: the marker .* 0 times"):
        renew_file(path, "latency", "new")
    assert path.read_text() == "# a"


def test_renew_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.md: a Markdown file in UTF-8 was expected, but"):
        renew_file(tmp_path / "absent.md", "latency", "new")
