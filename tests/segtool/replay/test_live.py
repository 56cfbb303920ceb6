"""The line that says how a replay is doing."""

import io
import threading

import pytest

from runtime.stream import CameraCounts, Outcome, StreamHealth, StreamResult
from segtool.replay.live import LiveLine, status_line
from segtool.replay.tally import Tally


def health(*reasons: str) -> StreamHealth:
    counts = CameraCounts(
        submitted=9, ok=4, late=1, dropped=2, stale=1, invalid=0, failed=0, pending=1, flagged={"frozen": 2, "dark": 1}
    )
    return StreamHealth(
        stale=bool(reasons),
        reasons=reasons,
        stuck="",
        cameras={"front": counts},
        quiet_ms={"front": 3.0},
        undelivered=0,
        provider="cpu",
        sha256="ab",
        can_roll_back=False,
    )


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    for age_ms in range(1, 21):
        tally.add(
            StreamResult(camera="front", frame_id=1, captured_ns=0, outcome=Outcome.OK, age_ms=age_ms, latency_ms=1.0)
        )
    return tally


def test_status_line_tells_pace_ages_counts_and_health(tally):
    assert status_line(tally, health(), 29.96) == (
        " 30.0 frames/s  age p50 10.0 ms p99 -  misses 0  drops 0  flags 3  healthy"
    )


def test_status_line_of_a_stale_stream_says_why(tally):
    assert status_line(tally, health("camera front: no answer for 400 ms"), 0.0).endswith(
        "STALE: camera front: no answer for 400 ms"
    )


class Screen(io.StringIO):
    def __init__(self, terminal: bool, lines: int) -> None:
        super().__init__()
        self.terminal, self.left, self.enough = terminal, lines, threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left <= 0:
            self.enough.set()
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_live_line_is_one_line_in_a_terminal_and_lines_in_a_log(tally, terminal):
    screen = Screen(terminal, lines=3)
    with LiveLine(tally, health, screen, every_s=0.001):
        assert screen.enough.wait(10)
    text = screen.getvalue()
    assert "misses 0" in text
    assert (text.count("\r") >= 3) is terminal
    assert text.count("\n") == 1 if terminal else text.count("\n") >= 3
    assert text.endswith("\n")


def test_live_line_into_a_closed_pipe_ends_without_a_word(tally):
    class Broken(Screen):
        def write(self, text: str) -> int:
            super().write(text)
            raise BrokenPipeError

    screen = Broken(False, lines=1)
    with LiveLine(tally, health, screen, every_s=0.001):
        assert screen.enough.wait(10)
    assert screen.getvalue().count("healthy") == 1
