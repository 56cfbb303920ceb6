"""`segtool selftest` on a file whose every label is known: its golden frames are black (255) and green (1)."""

import json

import onnx
import pytest

from runtime.seal import seal
from segtool.__main__ import run

GOLDEN = {"frames": 2, "source": "by hand", "agreement": {"cpu": 1.0, "*": 0.99}}


@pytest.mark.parametrize("batch", [1, 3])
def test_selftest_of_a_whole_file_gives_0_and_its_record(write_camera_model, tmp_path, capsys, batch):
    file = write_camera_model(golden=GOLDEN, batch=batch)
    arguments = ["selftest", str(file), "--provider", "cpu", "--json", str(tmp_path / "selftest.json")]
    assert run(arguments) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"self-test of {file} on cpu" in shown
    assert "2 100.0000 %" in shown
    assert "at least 100 % are required: passed" in shown
    record = json.loads((tmp_path / "selftest.json").read_text())
    assert (record["kind"], record["source"], record["passed"]) == ("selftest", "by hand", True)
    assert (record["agreement"], record["required"], record["provider"]) == ([1.0, 1.0], 1.0, "cpu")
    assert record["machine"]["packages"]


def test_selftest_of_a_file_that_answers_otherwise_gives_1_and_still_its_record(write_model, tmp_path, capsys):
    file = write_model(golden=GOLDEN)
    _label_by_the_weakest_channel(file)  # black is 255 still
    assert run(["selftest", str(file), "--provider", "cpu", "--json", str(tmp_path / "selftest.json")]) == 1
    captured = capsys.readouterr()
    assert "at least 100 % are required: failed" in captured.out
    assert "expected 100 % of the labels" in captured.err
    assert "got 0.0000 %" in captured.err
    assert json.loads((tmp_path / "selftest.json").read_text())["agreement"] == [1.0, 0.0]


def _label_by_the_weakest_channel(file):
    model = onnx.load(file)
    del model.metadata_props[-1]  # the seal
    next(node for node in model.graph.node if node.op_type == "ArgMax").op_type = "ArgMin"
    file.write_bytes(seal(model.SerializeToString()))


def test_selftest_of_a_file_without_golden_frames_gives_4_and_says_how_to_get_some(model_file, capsys):
    assert run(["selftest", str(model_file)]) == 4
    error = capsys.readouterr().err
    assert "carries golden frames" in error
    assert "segtool export" in error
    assert error.count("\n") == 1


def test_selftest_without_torch_and_onnx_works(segtool_process, write_camera_model):
    file = write_camera_model(golden=GOLDEN)
    done = segtool_process("selftest", file, "--provider", "cpu", blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")


def test_selftest_never_writes_over_the_model(write_camera_model, capsys):
    file = write_camera_model(golden=GOLDEN)
    before = file.read_bytes()
    assert run(["selftest", str(file), "--provider", "cpu", "--json", str(file)]) == 2
    assert "expected a file of its own for what is written" in capsys.readouterr().err
    assert file.read_bytes() == before
