import shutil
from pathlib import Path

import numpy as np
import pytest

from export.proof.pack import read_pack
from runtime.spec import ModelSpec
from segtool.__main__ import run
from trainer.data.label_space import label_space


@pytest.fixture
def run_model(write_model) -> Path:
    """A file with the small run's classes, size and normalisation, behind a BGR camera of twice that size."""
    from runtime.camera import CameraSpec

    return write_model(
        "camera.onnx",
        height_px=64,
        width_px=64,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        labels_at="camera",
        camera=CameraSpec(height_px=128, width_px=128, layout="bgr", resize="products"),
    )


def test_pack_writes_frames_and_says_size_hash_and_licence(trained_run, pairs, tmp_path, capsys):
    out = tmp_path / "PACK.zip"
    assert run(["pack", str(trained_run), "--data", str(pairs), "--frames", "3", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    pack = read_pack(out)
    assert f"({out.stat().st_size / 1e6:.1f} MB, 3 frames)" in told
    assert pack.sha256 in told
    assert "rgb frames, 64x64 labels, 7 classes" in told
    assert "its licence binds their use" in told
    assert pack.spec.classes == label_space("categories").classes


def test_pack_for_a_file_takes_its_camera_and_label_size(trained_run, run_model, tmp_path):
    out = tmp_path / "PACK.zip"
    assert run(["pack", str(trained_run), "--frames", "2", "--for", str(run_model), "--out", str(out)]) == 0
    pack = read_pack(out)
    spec: ModelSpec = pack.spec
    assert (spec.layout, spec.frame_shape, spec.labels_shape) == ("bgr", (128, 128, 3), (128, 128))
    frame = pack.read(0)
    assert frame.image.shape == (128, 128, 3)
    assert frame.reference_hw.shape == (128, 128)
    # the sky band of every scene is bluer than red: BGR has it in plane 0
    assert np.mean(frame.image[:30, :, 0], dtype=float) > np.mean(frame.image[:30, :, 2], dtype=float)


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (["--frames", "0", "--out", "p.zip"], 2, "--frames must be 1 or more, got 0"),
        ([], 2, "Missing option '--out'"),
        (["--for", "absent.onnx", "--out", "p.zip"], 4, "absent.onnx: expected an ONNX model file"),
        (["--data", "absent.zip", "--out", "p.zip"], 3, "absent.zip"),
    ],
)
def test_pack_of_what_can_not_be_is_refused(trained_run, capsys, flags, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["pack", str(trained_run), *flags]) == code
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pack_for_a_file_of_other_classes_gives_4(trained_run, write_model, tmp_path, capsys):
    file = write_model(height_px=32, width_px=64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert run(["pack", str(trained_run), "--for", str(file), "--out", str(tmp_path / "p.zip")]) == 4
    assert "expected the run's size 64, 64, got 64, 32" in capsys.readouterr().err


def test_pack_of_no_run_gives_4(tmp_path, capsys):
    assert run(["pack", str(tmp_path), "--out", str(tmp_path / "p.zip")]) == 4
    assert "best.safetensors" in capsys.readouterr().err


def test_pack_never_writes_over_the_data_set_or_the_file(trained_run, run_model, pairs, tmp_path, capsys):
    data = Path(shutil.make_archive(str(tmp_path / "pairs"), "zip", pairs))
    before = data.read_bytes(), run_model.read_bytes()
    assert run(["pack", str(trained_run), "--data", str(data), "--frames", "1", "--out", str(data)]) == 2
    assert "expected another file than the data set" in capsys.readouterr().err
    assert run(["pack", str(trained_run), "--for", str(run_model), "--frames", "1", "--out", str(run_model)]) == 2
    assert "expected another file than --for names" in capsys.readouterr().err
    assert (data.read_bytes(), run_model.read_bytes()) == before
