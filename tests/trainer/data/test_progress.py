import io
import sys
import threading

import pytest

from trainer.data.progress import progress, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_track_off_a_terminal_is_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(track(iter("abc"), "reading", total=3)) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_track_on_a_terminal_draws_on_stderr_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert list(track([1, 2, 3], "reading frames")) == [1, 2, 3]
    assert "reading frames" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_progress_off_a_terminal_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("measuring", 3) as advance:
        advance(1)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(("redraw_s", "drawn"), [(0.0, True), (3600.0, False)])
def test_progress_draws_no_oftener_than_asked_and_starts_no_thread(
    monkeypatch: pytest.MonkeyPatch, redraw_s: float, *, drawn: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    before = threading.active_count()
    with progress("measuring", 4, redraw_s) as advance:
        assert threading.active_count() == before
        first = len(terminal.getvalue())
        assert "measuring" in terminal.getvalue()
        advance(3)
        assert (len(terminal.getvalue()) > first) is drawn
        assert ("75%" in terminal.getvalue()) is drawn
