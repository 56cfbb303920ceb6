"""What is printed, to a pipe and to a terminal that lacks letters."""

import io

import pytest

from segtool.console import complain, say, show_table


def test_complain_makes_one_line_on_stderr_of_any_text(capsys):
    complain("two\nlines  and\ta tab")
    captured = capsys.readouterr()
    assert captured.err == "segtool: two lines and a tab\n"
    assert captured.out == ""


def test_say_prints_brackets_as_they_are(capsys):
    say("[bold]uint8 [1, 4, 4, 3]")
    assert capsys.readouterr().out == "[bold]uint8 [1, 4, 4, 3]\n"


def test_show_table_in_a_pipe_keeps_a_long_row_whole(capsys):
    path = "a/" + "very/" * 30 + "long/path.onnx"
    show_table("files", ("name", "bytes"), [(path, 12), ("[red]", 3_000)])
    lines = capsys.readouterr().out.splitlines()
    assert sum(path in line for line in lines) == 1
    assert any("[red]" in line for line in lines)


def test_show_table_puts_numbers_to_the_right_and_words_to_the_left(capsys):
    show_table("t", ("name", "IoU", "note"), [("a", "9.00 %", "x"), ("b", "-", "yy"), ("c", "100.00 %", "z")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    nine, hundred = (next(line for line in lines if text in line) for text in ("9.00", "100.00"))
    assert nine.index("9.00 %") + len("9.00 %") == hundred.index("100.00 %") + len("100.00 %")
    assert nine.index("x") == hundred.index("z")


def test_show_table_without_headings_has_no_rule(capsys):
    show_table("facts", ("", ""), [("name", "value")])
    assert [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()] == [
        ["facts"],
        ["name", "value"],
    ]


def test_show_table_on_a_terminal_without_unicode_prints_ascii(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    show_table("t", ("a", "b"), [("x", 1)])
    __import__("sys").stdout.flush()
    assert raw.getvalue().decode("ascii")


def test_show_table_into_a_closed_pipe_raises_broken_pipe(monkeypatch):
    class Closed(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError, match="Broken pipe"):  # rich alone would end the program with 1
        show_table("t", ("a",), [("x",)])
