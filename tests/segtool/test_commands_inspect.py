"""`segtool inspect`: what it shows against what the file was made of, read by the onnx package and hashlib."""

import hashlib
from collections import Counter

import onnx
import pytest

from segtool.__main__ import run


def test_inspect_shows_what_the_file_holds(model_file, capsys):
    assert run(["inspect", str(model_file)]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    model = onnx.load(model_file)
    for op, count in Counter(node.op_type for node in model.graph.node).items():
        assert f"{op} {count}" in shown
    assert f"all {len(model.graph.node)}" in shown
    assert f"sha256 {hashlib.sha256(model_file.read_bytes()).hexdigest()}" in shown
    assert f"seal intact, {model.metadata_props[-1].value}" in shown
    assert f"bytes {model_file.stat().st_size:,}" in shown
    assert "format IR version 10, opset ai.onnx 18" in shown
    assert "input image uint8 [1, 4, 4, 3]" in shown
    assert "output labels uint8 [1, 4, 4]" in shown
    assert "0 flat #804080" in shown
    assert "run by hand" in shown
    assert "labels.agreement 1" in shown


def test_inspect_of_a_file_without_proof_says_so(write_model, capsys):
    assert run(["inspect", str(write_model(parity=None, width_px=8))]) == 0
    shown = capsys.readouterr().out
    assert "no proof in this file" in shown
    assert "8x4, batch 1" in shown


@pytest.mark.parametrize("damage", ["altered", "truncated", "foreign", "absent"])
def test_inspect_of_a_damaged_file_gives_4_and_its_name(model_file, capsys, damage):
    data = model_file.read_bytes()
    if damage == "altered":
        model_file.write_bytes(data[:50] + bytes([data[50] ^ 4]) + data[51:])
    elif damage == "truncated":
        model_file.write_bytes(data[:-30])
    elif damage == "foreign":
        model_file.write_bytes(b"not a model at all")
    else:
        model_file.unlink()
    assert run(["inspect", str(model_file)]) == 4
    error = capsys.readouterr().err
    assert "model.onnx" in error
    assert error.count("\n") == 1


def test_inspect_without_torch_works(segtool_process, model_file):
    done = segtool_process("inspect", model_file, blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ArgMax" in done.stdout
