"""The demo's handling of its folder and of a failing step; the whole demo is a slow test in tests/end_to_end."""

from pathlib import Path

import pytest

import segtool.commands.demo
from segtool.__main__ import run
from segtool.commands.demo import MARKER


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Records the demo's commands in place of running them."""
    seen: list[list[str]] = []
    monkeypatch.setattr(segtool.commands.demo, "_step", seen.append)
    monkeypatch.setattr(segtool.commands.demo, "_summarise", lambda *_: None)
    return seen


def test_demo_does_the_whole_job_in_order(steps: list[list[str]], tmp_path: Path) -> None:
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 0
    commands = [step[0] for step in steps]
    assert commands == ["data", "data", "train", "export", "export", "eval", "eval", "predict", "bench", "bench"]
    assert len(list((tmp_path / "demo" / "photos").iterdir())) == 4


def test_demo_folder_of_an_earlier_demo_is_made_anew(steps: list[list[str]], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for _ in range(2):
        assert run(["demo", "--out", str(out)]) == 0
        assert not (out / "left").exists()
        (out / "left").write_text("from the last time")


def test_demo_folder_of_somebody_else_is_left_alone(
    steps: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "was not made by a demo" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
    assert steps == []


def test_demo_failed_step_ends_it_with_that_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("segtool.__main__.run", lambda arguments: 6 if arguments[0] == "data" else 0)
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 6
    assert (tmp_path / "demo" / MARKER).exists()
