"""`segtool stream` from end to end, on a model whose every label is known."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtool.__main__ import run

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
SLOW = ("--rate", "20", "--budget-ms", "20000", "--max-age-ms", "20000", "--provider", "cpu", "--threads", "1")


@pytest.fixture
def frames(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(8):
        stripes = [np.full((6, 4, 3), COLOURS[(number + column) % 3], np.uint8) for column in range(3)]
        Image.fromarray(np.concatenate(stripes, axis=1)).save(tmp_path / "frames" / f"{number}.png")
    return tmp_path / "frames"


def stream(file, source, *options) -> int:
    return run(["stream", str(file), "--source", str(source), *SLOW, *map(str, options)])


def test_stream_writes_what_predict_writes_and_counts_the_rest(model_file, frames, tmp_path, capsys):
    out, predicted = tmp_path / "out", tmp_path / "predicted"
    assert stream(model_file, frames, "--out", out, "--overlay", "--json", tmp_path / "s.json") == 0
    record = json.loads((tmp_path / "s.json").read_text())
    total = record["total"]
    assert total["submitted"] == total["ok"] + total["dropped"] == 8
    assert record["age_ms"]["frames"] == record["written"] == total["ok"] > 0
    assert record["age_ms"]["p50"] is None  # takes 11 frames
    assert record["settings"]["rate_hz"] == 20.0
    assert f"ok         {total['ok']} (" in capsys.readouterr().out

    assert run(["predict", str(model_file), str(frames), "--out", str(predicted), "--overlay"]) == 0
    written = sorted(file.name for file in out.iterdir())
    assert len(written) == 2 * total["ok"]
    for name in written:
        assert (out / name).read_bytes() == (predicted / name).read_bytes()


def test_stream_of_a_camera_file_shows_what_that_camera_delivers(write_camera_model, frames, tmp_path):
    file = write_camera_model(crop=(0, 1, 4, 4))
    out, predicted = tmp_path / "out", tmp_path / "predicted"
    assert stream(file, frames, "--out", out, "--limit", 3) == 0
    assert run(["predict", str(file), str(frames), "--out", str(predicted)]) == 0
    for name in (file.name for file in out.iterdir()):
        assert (out / name).read_bytes() == (predicted / name).read_bytes()


def test_stream_of_a_video_makes_a_video_with_its_rate(model_file, frames, tmp_path):
    av = pytest.importorskip("av", reason="needs the extra `video` (PyAV)")
    with av.open(str(tmp_path / "drive.mkv"), "w") as container:
        track = container.add_stream("mpeg4", rate=25)
        track.width, track.height, track.pix_fmt = 32, 16, "yuv420p"
        for number in range(6):
            colours = np.full((16, 32, 3), COLOURS[number % 3], np.uint8)
            frame = av.VideoFrame.from_ndarray(colours, format="rgb24")
            frame.pts = number
            container.mux(track.encode(frame))
        container.mux(track.encode())
    arguments = ["stream", str(model_file), "--source", str(tmp_path / "drive.mkv"), "--provider", "cpu"]
    patient = ["--budget-ms", "20000", "--max-age-ms", "20000"]
    outputs = ["--video", str(tmp_path / "o.mp4"), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "s.json")]
    assert run([*arguments, *patient, *outputs]) == 0
    record = json.loads((tmp_path / "s.json").read_text())
    assert (record["settings"]["rate_hz"], record["source"]["frames"]) == (25.0, 6)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == record["total"]["ok"]
    for file in (tmp_path / "out").iterdir():
        with Image.open(file) as labels:
            assert labels.size == (32, 16)
            assert set(np.unique(np.asarray(labels))) == {int(file.stem) % 3}


def test_stream_with_a_broken_image_names_it_writes_the_others_and_gives_3(model_file, frames, tmp_path, capsys):
    (frames / "3.png").write_bytes((frames / "3.png").read_bytes()[:-20])
    assert stream(model_file, frames, "--json", tmp_path / "s.json") == 3
    told = capsys.readouterr()
    assert "1 of 8 frames could not be read" in told.err
    assert "3.png" in told.err
    assert told.err.count("\n") == 1
    assert "unreadable" in told.out
    record = json.loads((tmp_path / "s.json").read_text())
    assert (record["source"]["unreadable"], record["total"]["submitted"]) == (1, 7)


def test_stream_over_the_misses_allowed_gives_1_after_all_was_told(model_file, frames, tmp_path, capsys):
    tight = ("--budget-ms", "0.0001", "--max-misses", "0.5", "--json", tmp_path / "s.json")
    assert stream(model_file, frames, *tight) == 1
    told = capsys.readouterr()
    assert "expected at most 50 % of the frames without an answer in time, got 8 of 8" in told.err
    assert json.loads((tmp_path / "s.json").read_text())["total"]["ok"] == 0


def test_stream_shows_a_live_line_on_stderr(model_file, frames, capsys, monkeypatch):
    monkeypatch.setattr("segtool.replay.live.LOG_EVERY_S", 0.05)
    assert stream(model_file, frames, "--show-stats") == 0
    told = capsys.readouterr()
    assert "frames/s  age p50" in told.err
    assert "healthy" in told.err


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--loop", "--out", "o"), 2, "--loop was given with --out"),
        (("--overlay",), 2, "--overlay was given without --out"),
        (("--split", "val"), 2, "--split val"),
        (("--rate", "0"), 2, "--rate"),
        (("--video", "o.gif"), 2, "o.gif"),
    ],
)
def test_stream_with_options_that_make_no_sense_is_refused(model_file, frames, capsys, options, code, told):
    assert stream(model_file, frames, *options) == code
    assert told in capsys.readouterr().err


def test_stream_of_a_live_camera_in_a_loop_is_refused(model_file, capsys):
    pytest.importorskip("av", reason="needs the extra `video` (PyAV)")
    assert stream(model_file, "camera:0", "--loop") == 2
    assert "camera:0, which has no end" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["empty folder", "nothing", "text"])
def test_stream_of_a_source_without_frames_gives_3(model_file, tmp_path, capsys, kind):
    pytest.importorskip("av", reason="needs the extra `video` (PyAV)")
    source = tmp_path / "source"
    if kind == "empty folder":
        source.mkdir()
    elif kind == "text":
        source.write_text("no video")
    assert stream(model_file, source) == 3
    assert str(source) in capsys.readouterr().err


def test_stream_where_nothing_can_be_written_gives_6(model_file, frames, tmp_path, capsys):
    (tmp_path / "out").write_text("a file where the folder should be")
    assert stream(model_file, frames, "--out", tmp_path / "out") == 6
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_stream_interrupted_tells_its_counts_and_gives_130(model_file, frames, tmp_path):
    arguments = ["stream", str(model_file), "--source", str(frames), *SLOW, "--loop", "--show-stats"]
    program = "import segtool.replay.live as live; live.LOG_EVERY_S = 0.05; from segtool.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--json", str(tmp_path / "s.json")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "frames/s" in process.stderr.readline()  # it plays
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "ended by SIGINT after" in out
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["interrupted_by"] == signal.SIGINT
    assert (
        record["total"]["submitted"]
        == record["source"]["frames"]
        == sum(record["total"][name] for name in ("ok", "late", "dropped", "stale", "invalid", "failed"))
    )


def test_stream_without_torch_works(segtool_process, model_file, frames):
    done = segtool_process(
        "stream", model_file, "--source", frames, *SLOW, blocked=("torch", "torchvision", "onnx", "av")
    )
    assert done.returncode == 0, done.stderr
    assert "8 of frames" in done.stdout
