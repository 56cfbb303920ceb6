"""A folder of TensorRT engines reaches the engine from every command that runs a file, and no other provider."""

import pytest

from runtime.errors import DeviceError, UsageError
from runtime.options import EngineOptions
from segtool.__main__ import run
from segtool.engine_flags import engine_options

COMMANDS = {
    "predict": ["{file}", "{pairs}", "--out", "{out}"],
    "selftest": ["{file}"],
    "eval": ["{file}", "{pairs}"],
    "inspect": ["{file}"],
    "stream": ["{file}", "--source", "{pairs}"],
    "bench": ["{file}"],
    "compare": ["{file}", "{file}", "{pairs}"],
}


@pytest.fixture
def line(model_file, pairs_folder, tmp_path):
    def make(command, provider):
        places = {"file": model_file, "pairs": pairs_folder, "out": tmp_path / "out"}
        words = [word.format(**places) for word in COMMANDS[command]]
        return [command, *words, "--provider", provider, "--cache", str(tmp_path / "engines")]

    return make


def test_engine_options_hold_threads_and_the_folder(tmp_path):
    assert engine_options("tensorrt", tmp_path, 2) == EngineOptions(threads=2, engine_cache=str(tmp_path))
    assert engine_options("cpu", None) == engine_options(None, None) == EngineOptions()


@pytest.mark.parametrize(("provider", "got"), [("cpu", "got cpu"), ("auto", "got auto"), (None, "got no provider")])
def test_engine_options_of_a_provider_without_engines_are_refused(tmp_path, provider, got):
    with pytest.raises(UsageError, match=f"--cache .*: expected --provider tensorrt with it, {got}"):
        engine_options(provider, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_refuse_engines_for_the_cpu(line, command, capsys):
    assert run(line(command, "cpu")) == 2
    assert "expected --provider tensorrt with it, got cpu" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_hand_the_folder_to_the_engine(line, command, monkeypatch, tmp_path):
    asked = []

    def refuse(*arguments, **keywords):
        asked.append((arguments[1], keywords["options"].engine_cache))
        raise DeviceError("planted: no TensorRT here")

    for where in ("runtime.segmenter", "segtool.replay.job", "benchmarks.order", "benchmarks.approval.sides"):
        monkeypatch.setattr(f"{where}.Segmenter", refuse)
    assert run(line(command, "tensorrt")) == 5
    assert asked == [("tensorrt", str(tmp_path / "engines"))]


def test_parity_takes_engines_with_a_pack_only(model_file, tmp_path, capsys):
    arguments = ["parity", str(model_file), "--provider", "tensorrt", "--cache", str(tmp_path)]
    assert run([*arguments, "--run", str(tmp_path)]) == 2
    assert "--cache" in capsys.readouterr().err
    assert run([*arguments, "--pack", str(tmp_path / "absent.zip")]) == 3
    assert "absent.zip" in capsys.readouterr().err
