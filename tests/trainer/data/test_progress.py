import io
import sys

import pytest

from trainer.data.progress import track


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
