"""`segtool inspect`: what it shows against what the file was made of, read by the onnx package and hashlib."""

import hashlib
from collections import Counter

import onnx
import onnxruntime as ort
import pytest

from runtime.engine import opening
from segtool.__main__ import run
from trainer.data.label_space import label_space


def test_inspect_shows_what_the_file_holds(model_file, capsys):
    assert run(["inspect", str(model_file)]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    model = onnx.load(model_file)
    # by hand: an int64 of 3 and a uint8 of 255 stand there as varints of one and two bytes, a float takes four
    weights = {"ReduceMax": 1, "Equal": 4, "Where": 2}
    for op, count in Counter(node.op_type for node in model.graph.node).items():
        assert f"{op} {count} {weights.get(op, 0)}" in shown
    assert f"all {len(model.graph.node)} 7" in shown
    assert "every node" not in shown
    assert "frame 4x4 rgb, uint8 [4, 4, 3], batch 1" in shown
    assert "golden frames -" in shown
    assert "confidence -" in shown
    assert f"sha256 {hashlib.sha256(model_file.read_bytes()).hexdigest()}" in shown
    assert f"seal intact, {model.metadata_props[-1].value}" in shown
    assert f"bytes {model_file.stat().st_size:,}" in shown
    assert "format IR version 10, opset ai.onnx 18" in shown
    assert "input image uint8 [1, 4, 4, 3]" in shown
    assert "output labels uint8 [1, 4, 4]" in shown
    assert "expected -" in shown
    assert "0 flat #804080 -" in shown
    assert "run by hand" in shown
    assert "labels.agreement 1" in shown


def test_inspect_of_a_file_without_proof_says_so(write_model, capsys):
    assert run(["inspect", str(write_model(parity=None, width_px=8))]) == 0
    shown = capsys.readouterr().out
    assert "no proof in this file" in shown
    assert "8x4 rgb, uint8 [4, 8, 3], batch 1" in shown


def test_inspect_of_a_camera_file_shows_camera_confidence_golden_frames_and_numerics(write_camera_model, capsys):
    changes = {"crop": (0, 2, 4, 4), "batch": 2, "confidence": {"temperature": 1.25, "error_after": 0.01}}
    golden = {"frames": 2, "source": "noise", "agreement": {"cpu": 0.999, "*": 0.99}}
    shares = {name: [0.25, 0.5] for name in label_space("categories").classes}
    expected = {"frames": 200, "shares": shares, "unsure": 0.074}
    file = write_camera_model(golden=golden, expected=expected, numerics={"kept": ["conv_3"]}, **changes)
    assert run(["inspect", str(file), "--nodes"]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "frame 4x6 bgr, uint8 [6, 4, 3], batch 2" in shown
    assert "crop 4x4 from x 0, y 2: the network sees nothing else" in shown
    assert "confidence temperature 1.25, error_after 0.01" in shown
    assert (
        "expected shares of a frame as in 200 frames of its proof, of unsure pixels up to 0.074; of each class below"
        in shown
    )
    assert "0 flat #804080 0.250 to 0.500" in shown
    assert any(line.startswith("golden frames 2 of noise, ") for line in shown)
    assert any(line.endswith("bytes; must agree: cpu 0.999, others 0.99") for line in shown)
    assert "kept ['conv_3']" in shown
    assert "output confidence uint8 [2, 4, 4]" in shown
    nodes = onnx.load(file).graph.node
    assert all(" ".join([n.op_type, "-", ", ".join(n.input), ", ".join(n.output)]) in shown for n in nodes)


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


def test_inspect_with_a_provider_shows_what_runs_where(model_file, capsys):
    assert run(["inspect", str(model_file), "--provider", "cpu"]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    table = shown[shown.index("placement on cpu") :]
    sha256 = hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert {"nodes in half precision 0", "CUDA graph off", f"sha256 {sha256}"} <= set(table)
    assert any(
        line.startswith("versions segtool-runtime ") and f"onnxruntime {ort.__version__}" in line for line in table
    )
    if hasattr(ort.InferenceSession, "get_provider_graph_assignment_info"):
        assert f"nodes on cpu {len(onnx.load(model_file).graph.node)}" in table


def test_inspect_with_a_cache_and_no_provider_is_refused(model_file, tmp_path, capsys):
    assert run(["inspect", str(model_file), "--cache", str(tmp_path)]) == 2
    assert f"--cache {tmp_path}: expected --provider tensorrt with it, got no provider" in capsys.readouterr().err


def test_inspect_with_a_provider_that_does_not_run_gives_5(model_file, capsys, monkeypatch):
    monkeypatch.setattr(opening, "available", lambda: ("CPUExecutionProvider",))
    assert run(["inspect", str(model_file), "--provider", "cuda"]) == 5
    assert "provider 'cuda': expected ONNX Runtime to have it" in capsys.readouterr().err
