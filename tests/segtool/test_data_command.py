"""`segtool data` from the command line: what it prints, and the documented exit codes."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtool.__main__ import run


@pytest.fixture
def two_pairs(tmp_path: Path) -> Path:
    """One train and one val pair: upper half road, lower half car."""
    for split, grey in (("train", 50), ("val", 60)):
        both = np.full((16, 32, 3), grey, np.uint8)
        both[:8, 16:] = (128, 64, 128)
        both[8:, 16:] = (0, 0, 142)
        stream = io.BytesIO()
        Image.fromarray(both).save(stream, "PNG")
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "[1].png").write_bytes(stream.getvalue())
    return tmp_path / "set"


def test_data_inspect_sound_set_prints_and_writes_its_report(
    two_pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "inspect", str(two_pairs), "--json", str(tmp_path / "report.json")]) == 0
    captured = capsys.readouterr()
    assert "16x16 (1)" in captured.out
    assert "50.00 %" in captured.out
    assert "no problems found" in captured.out
    assert captured.err == ""
    record = json.loads((tmp_path / "report.json").read_text())
    assert (record["schema_version"], record["kind"], record["layout"]) == (1, "data", "pairs")


def test_data_inspect_damaged_frame_is_reported_and_exits_3(
    two_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (two_pairs / "train" / "[1].png").write_bytes(b"")
    assert run(["data", "inspect", str(two_pairs)]) == 3
    captured = capsys.readouterr()
    assert "unreadable" in captured.out
    assert "train/[1].png" in captured.out
    assert len(captured.err.splitlines()) == 1
    assert "0 bytes" in captured.err


@pytest.mark.parametrize("name", ["nothing_here", "empty"])
def test_data_inspect_path_without_data_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["data", "inspect", str(tmp_path / name)]) == 3
    assert name in capsys.readouterr().err


def test_data_inspect_many_problems_are_cut_with_a_hint(two_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        (two_pairs / "train" / f"{number}.png").write_bytes(b"")
    assert run(["data", "inspect", str(two_pairs)]) == 3
    out = capsys.readouterr().out
    assert "Problems: 30" in out
    assert "10 more; --json FILE lists them all" in out


def test_data_inspect_unknown_label_space_exits_2(two_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", str(two_pairs), "--label-space", "coco"]) == 2
    assert "coco" in capsys.readouterr().err


def test_data_inspect_panel_is_a_png_with_the_colours_of_the_labels(two_pairs: Path, tmp_path: Path) -> None:
    assert run(["data", "inspect", str(two_pairs), "--panel", str(tmp_path / "panel.png")]) == 0
    with Image.open(tmp_path / "panel.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**24)}
    assert {(50, 50, 50), (60, 60, 60), (128, 64, 128), (0, 0, 142)} <= colours


def test_data_inspect_panel_leaves_out_what_can_not_be_read(two_pairs: Path, tmp_path: Path) -> None:
    (two_pairs / "train" / "[1].png").write_bytes(b"")
    assert run(["data", "inspect", str(two_pairs), "--panel", str(tmp_path / "panel.png")]) == 3
    with Image.open(tmp_path / "panel.png") as picture:
        pixels = {colour: count for count, colour in picture.convert("RGB").getcolors(2**24)}
    assert pixels[60, 60, 60] > 10_000
    assert pixels.get((50, 50, 50), 0) < 1000  # the text's edges have some of that grey


def test_data_inspect_works_without_torch(
    two_pairs: Path, tmp_path: Path, segtool_process: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    panel = tmp_path / "panel.png"
    blocked = ("torch", "torchvision", "accelerate")
    done = segtool_process("data", "inspect", two_pairs, "--panel", panel, blocked=blocked)
    assert (done.returncode, done.stderr) == (0, "")
    assert panel.is_file()


def test_data_inspect_leak_exits_3(two_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two_pairs / "val" / "2.png").write_bytes((two_pairs / "train" / "[1].png").read_bytes())
    assert run(["data", "inspect", str(two_pairs)]) == 3
    captured = capsys.readouterr()
    assert "leak" in captured.out
    assert "the same bytes as train/[1].png" in captured.err


def test_data_inspect_own_folder_shows_its_classes_and_its_bad_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((4, 6), np.uint8)
    for split in ("train", "val"):
        for kind, pixels in (("images", np.full((4, 6, 3), 9 if split == "val" else 8, np.uint8)), ("masks", mask)):
            (tmp_path / "set" / kind / split).mkdir(parents=True)
            Image.fromarray(pixels).save(tmp_path / "set" / kind / split / "1.png")
    classes = '[[classes]]\nname = "gravel"\nids = [0]\n[[classes]]\nname = "hedge"\nids = [5]\n'
    (tmp_path / "set" / "classes.toml").write_text(classes)
    assert run(["data", "inspect", str(tmp_path / "set")]) == 0
    out = capsys.readouterr().out
    assert "layout folder, label space own" in out
    assert "never in the frames read of train: hedge" in out
    mask[2, 3] = 6
    Image.fromarray(mask).save(tmp_path / "set" / "masks" / "val" / "1.png")
    assert run(["data", "inspect", str(tmp_path / "set")]) == 3
    assert "masks/val/1.png: value 6 at x 3, y 2 (1 pixel)" in capsys.readouterr().err


def test_data_synth_writes_a_set_that_inspect_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scenes"
    assert run(["data", "synth", str(out), "--count", "4", "--size", "64", "--seed", "3", "--val-share", "0.25"]) == 0
    assert run(["data", "inspect", str(out)]) == 0
    assert "64x64 (3)" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["data", "--help"], ["data", "inspect", "--help"], ["data", "synth", "--help"]])
def test_data_help_shows_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert "Examples:" in capsys.readouterr().out
