"""`segtool build`: what it refuses, and what it says of an engine; TensorRT itself runs nowhere in these tests."""

from pathlib import Path

import pytest

from runtime.engine import tensorrt
from runtime.errors import ProviderUnavailable
from segtool.__main__ import run


@pytest.mark.parametrize("provider", ["cpu", "cuda", "openvino"])
def test_build_for_a_provider_without_engines_gives_2_and_says_that_nothing_is_to_be_built(
    model_file, tmp_path, capsys, provider
):
    assert run(["build", str(model_file), "--provider", provider, "--cache", str(tmp_path / "cache")]) == 2
    error = capsys.readouterr().err
    assert f"got {provider}, for which nothing is to be built" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_build_for_no_provider_gives_2(model_file, tmp_path, capsys):
    assert run(["build", str(model_file), "--provider", "trt", "--cache", str(tmp_path)]) == 2
    assert "expected tensorrt, got 'trt'" in capsys.readouterr().err


def test_build_of_a_file_that_is_absent_gives_4(tmp_path, capsys):
    assert run(["build", str(tmp_path / "no.onnx"), "--provider", "tensorrt", "--cache", str(tmp_path)]) == 4
    assert "no.onnx" in capsys.readouterr().err


def test_build_tells_the_folder_of_the_engine(model_file, tmp_path, capsys, monkeypatch):
    asked = []

    def build(data: bytes, options: object, where: str, *, anew: bool) -> Path:
        asked.append((data, options.device_id, options.engine_cache, where, anew))
        return tmp_path / "cache" / "0123"

    monkeypatch.setattr(tensorrt, "build_for_tensorrt", build)
    cache = tmp_path / "cache"
    arguments = ["build", str(model_file), "--provider", "tensorrt", "--cache", str(cache), "--device", "2", "--anew"]
    assert run(arguments) == 0
    assert asked == [(model_file.read_bytes(), 2, cache, str(model_file), True)]
    assert capsys.readouterr().out.startswith(f"{cache / '0123'}: the engine of {model_file}, 0.")


def test_build_where_tensorrt_does_not_run_gives_5_and_one_line(model_file, tmp_path, capsys, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ProviderUnavailable("provider 'tensorrt': expected it to run here, but it does not; install it")

    monkeypatch.setattr(tensorrt, "build_for_tensorrt", refuse)
    assert run(["build", str(model_file), "--provider", "tensorrt", "--cache", str(tmp_path)]) == 5
    assert capsys.readouterr().err == (
        "segtool: provider 'tensorrt': expected it to run here, but it does not; install it\n"
    )


def test_build_without_torch_works(segtool_process, model_file, tmp_path):
    blocked = ("torch", "onnx", "accelerate")
    done = segtool_process("build", model_file, "--provider", "cuda", "--cache", tmp_path, blocked=blocked)
    assert done.returncode == 2
    assert "nothing is to be built" in done.stderr
