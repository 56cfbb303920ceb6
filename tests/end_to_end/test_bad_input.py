"""Each bad input: the documented exit code, one line that names the file and what to do, and nothing lost."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]


def expect(done: subprocess.CompletedProcess[str], code: int, *words: object) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert str(word) in lines[0]


@pytest.fixture
def copy(pairs: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pairs, tmp_path / "pairs")


def test_data_no_such_path(segtool: Run, tmp_path: Path) -> None:
    for arguments in (("train", tmp_path / "gone", "--out", tmp_path / "run"), ("data", "inspect", tmp_path / "gone")):
        expect(segtool(*arguments), 3, tmp_path / "gone")
    assert not (tmp_path / "run").exists()


def test_data_empty_folder(segtool: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    expect(segtool("train", tmp_path / "empty", "--out", tmp_path / "run"), 3, tmp_path / "empty")


def test_data_truncated_zip(segtool: Run, copy: Path, tmp_path: Path) -> None:
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", copy)).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    expect(segtool("data", "inspect", tmp_path / "cut.zip"), 3, "cut.zip")


@pytest.mark.parametrize("name", ["../train/1.jpg", "/train/1.jpg"])
def test_data_zip_that_leads_outside(segtool: Run, copy: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as archive:
        archive.write(copy / "train" / "1.jpg", "train/2.jpg")
        archive.writestr(name, (copy / "train" / "1.jpg").read_bytes())
    expect(segtool("train", tmp_path / "hostile.zip", "--out", tmp_path / "run"), 3, "hostile.zip", name)


@pytest.mark.parametrize("length", [0, 1500])
def test_data_jpeg_cut_short(segtool: Run, copy: Path, tmp_path: Path, length: int) -> None:
    bad = copy / "train" / "3.jpg"
    bad.write_bytes(bad.read_bytes()[:length])
    train = segtool("train", copy, "--out", tmp_path / "run", "--size", 64, "--epochs", 1, "--workers", 2)
    assert train.returncode == 3
    last = train.stderr.strip().splitlines()[-1]
    assert "3.jpg" in last
    assert "Traceback" not in train.stderr
    assert "Caught" not in last


def test_data_picture_not_two_to_one(segtool: Run, copy: Path, tmp_path: Path) -> None:
    Image.new("RGB", (100, 80)).save(copy / "val" / "2.jpg")
    done = segtool("data", "inspect", copy)
    assert done.returncode == 3
    assert "2.jpg" in done.stdout + done.stderr
    assert "100x80" in done.stdout + done.stderr


def test_train_size_that_does_not_fit(segtool: Run, pairs: Path, tmp_path: Path) -> None:
    done = segtool("train", pairs, "--out", tmp_path / "run", "--size", 100)
    expect(done, 2, "100x100", "96x96", "112x112")


@pytest.mark.parametrize("size", ["big", "128x", "1x2x3", "-128"])
def test_train_size_that_is_none(segtool: Run, pairs: Path, tmp_path: Path, size: str) -> None:
    expect(segtool("train", pairs, "--out", tmp_path / "run", f"--size={size}"), 2, size)


def test_train_fp16_on_a_cpu(segtool: Run, pairs: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where fp16 is right")
    expect(segtool("train", pairs, "--out", tmp_path / "run", "--precision", "fp16"), 2, "fp16", "bf16")


def test_train_over_another_run_is_refused_and_nothing_is_lost(segtool: Run, pairs: Path, trained_run: Path) -> None:
    before = {file: file.read_bytes() for file in trained_run.rglob("*") if file.is_file()}
    expect(segtool("train", pairs, "--out", trained_run), 2, trained_run, "--resume")
    assert {file: file.read_bytes() for file in trained_run.rglob("*") if file.is_file()} == before


def test_train_resume_with_another_width_is_refused(segtool: Run, pairs: Path, trained_run: Path) -> None:
    expect(segtool("train", pairs, "--out", trained_run, "--resume", "--width", 32), 2, trained_run, "--width 8")


def test_run_without_a_checkpoint(segtool: Run, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for arguments in (
        ("export", tmp_path / "run"),
        ("eval", tmp_path / "run", pairs),
        ("train", pairs, "--out", tmp_path / "run", "--resume"),
    ):
        expect(segtool(*arguments), 4, tmp_path / "run")


def test_model_file_that_is_not_ours(segtool: Run, pairs: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    onnx.save(helper.make_model(graph), tmp_path / "theirs.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("theirs.onnx", "text.onnx", "empty.onnx", "absent.onnx"):
        for arguments in (("bench", tmp_path / name), ("eval", tmp_path / name, pairs), ("inspect", tmp_path / name)):
            expect(segtool(*arguments), 4, name)


def test_provider_that_is_not_there(segtool: Run, trained_run: Path, tmp_path: Path) -> None:
    from export.pipeline import export_onnx

    model = export_onnx(trained_run, out=tmp_path / "model.onnx", provider="cpu").model
    expect(segtool("bench", model, "--provider", "abacus"), 2, "abacus", "cpu")
    if not Path("/dev/nvidia0").exists():
        expect(segtool("bench", model, "--provider", "cuda"), 5, "cuda")


def test_export_into_a_folder_without_permission(segtool: Run, trained_run: Path) -> None:
    done = segtool("export", trained_run, "--out", "/proc/model.onnx", "--provider", "cpu")
    expect(done, 6, "/proc/model.onnx")
