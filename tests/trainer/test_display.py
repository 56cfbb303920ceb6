import io
import sys

import pytest

from trainer.display import TrainDisplay

ENTRY = {
    "epoch": 1,
    "loss": 0.5,
    "dice": 0.6,
    "mean_iou": None,
    "pixel_accuracy": 0.75,
    "seconds": 12.3,
    "skipped": 2,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, quiet: bool = False) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    display = TrainDisplay(3, quiet=quiet)
    with display:
        for epoch in (1, 2):
            display.start_epoch(epoch, 16, 0)
            display.step(8, 0.25, 31.4, 0)
            display.step(8, 0.125, 41.4, 1)
            display._progress.refresh()
        display.epoch_line(ENTRY, improved=True)
    return stream.getvalue()


def test_display_on_a_terminal_draws_a_bar_for_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, Terminal())
    assert "epoch 1/3" in text
    assert "epoch 2/3" in text
    assert "loss 0.1250  41 images/s  1 step skipped, not finite" in text


def test_display_elsewhere_prints_the_lines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (
        "epoch   1/3  loss 0.5000  dice 0.6000  mean IoU -  accuracy 0.7500  12 s  2 steps skipped, not finite  best\n"
    )
    assert shown(monkeypatch, io.StringIO()) == expected


def test_display_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Terminal(), quiet=True) == ""
