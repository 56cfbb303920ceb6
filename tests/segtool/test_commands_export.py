"""`segtool export` as a command line: what reaches `export_onnx`, and two exports as a user meets them."""

import shutil

import pytest

import export.pipeline
from export.settings import CameraRequest
from runtime.errors import GateError
from runtime.model_file import load_model_file
from segtool.__main__ import run
from segtool.export_flags import SECTIONS

DEFAULTS = {
    "precision": "fp32",
    "int8_target": "cpu",
    "camera": None,
    "labels_at": "network",
    "labels_from": "labels",
    "confidence": False,
    "batch": 1,
    "out": None,
    "parity_data": None,
    "calibration": None,
    "golden": None,
    "frames": 200,
    "gates": {},
    "provider": "auto",
}


@pytest.fixture
def asked(monkeypatch):
    """What `export_onnx` was called with; in place of exporting it refuses."""
    calls = []

    def export_onnx(run, **named):
        calls.append((str(run), named))
        raise GateError("planted refusal")

    monkeypatch.setattr(export.pipeline, "export_onnx", export_onnx)
    return calls


@pytest.fixture
def run_folder(trained_run, tmp_path):
    return shutil.copytree(trained_run, tmp_path / "run")


def camera(**changes):
    return {"camera": CameraRequest(**changes)}


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        ("", {}),
        ("--fp16", {"precision": "fp16"}),
        ("--int8", {"precision": "int8"}),
        ("--int8 --batch 4", {"precision": "int8", "batch": 4}),
        ("--int8 tensorrt", {"precision": "int8", "int8_target": "tensorrt"}),
        ("--int8=tensorrt", {"precision": "int8", "int8_target": "tensorrt"}),
        ("--camera 1920x1208", camera(width_px=1920, height_px=1208)),
        ("--input bgr --resize resize-node", camera(layout="bgr", resize="resize-node")),
        (
            "--camera 1920x1208 --input nv12 --yuv-matrix bt601 --yuv-range full --crop 0,124,1920,960 --stretch",
            camera(
                width_px=1920,
                height_px=1208,
                layout="nv12",
                yuv_matrix="bt601",
                yuv_range="full",
                crop=(0, 124, 1920, 960),
                stretch=True,
            ),
        ),
        (
            "--labels-at camera --labels-from logits --confidence --batch 2",
            {"labels_at": "camera", "labels_from": "logits", "confidence": True, "batch": 2},
        ),
        ("--frames 20 --provider cpu", {"frames": 20, "provider": "cpu"}),
        ("--gate agreement=0.9995 --gate near_tie=0", {"gates": {"agreement": 0.9995, "near_tie": 0.0}}),
    ],
)
def test_export_flags_reach_the_call(asked, capsys, flags, changed):
    assert run(["export", "runs/a", *flags.split()]) == 1
    assert asked == [("runs/a", DEFAULTS | changed)]
    assert capsys.readouterr().err == "segtool: planted refusal\n"


def test_export_paths_reach_the_call(asked, tmp_path):
    names = ["out", "parity_data", "calibration", "golden"]
    flags = [text for name in names for text in (f"--{name.replace('_', '-')}", str(tmp_path / name))]
    assert run(["export", "runs/a", *flags]) == 1
    assert asked == [("runs/a", DEFAULTS | {name: tmp_path / name for name in names})]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--fp16 --int8", "expected one precision, got --fp16 and --int8"),
        ("--int8 openvino", "'openvino' is not one of 'cpu', 'tensorrt'"),
        ("--camera big", "expected WIDTHxHEIGHT, such as 1920x1208, got 'big'"),
        ("--crop 1,2,3", "expected X,Y,W,H, such as 0,124,1920,960, got '1,2,3'"),
        ("--gate agreement", "expected NAME=NUMBER, such as agreement=0.999, got 'agreement'"),
        ("--gate agreement=1 --gate agreement=0", "expected agreement once, got it again with 'agreement=0'"),
        ("--input yuyv", "'yuyv' is not one of"),
        ("--batch two", "'two' is not a valid integer"),
    ],
)
def test_export_flags_that_cannot_be_give_2_and_one_line(asked, capsys, flags, told):
    assert run(["export", "runs/a", *flags.split()]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert asked == []


def test_export_int8_before_the_run_takes_it_for_the_target(asked, capsys):
    assert run(["export", "--int8", "runs/a"]) == 2  # the help says that it stands behind RUN
    assert "'runs/a' is not one of 'cpu', 'tensorrt'" in capsys.readouterr().err


def test_export_help_shows_every_option_in_its_section(capsys):
    assert run(["export", "--help"]) == 0
    text = capsys.readouterr().out
    for heading, options in SECTIONS.items():
        section = text.split(f"\n{heading}:\n")[1].split("\n\n")[0]
        assert [option.opts[0] for option in options if option.opts[0] not in section] == []
    assert text.index("--int8 [tensorrt]") < text.index("Camera:")
    assert "Examples:" in text


def test_export_help_needs_no_torch(segtool_process):
    done = segtool_process("export", "--help", blocked=("torch", "onnx", "safetensors", "numpy"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "--labels-at" in done.stdout


def test_export_shows_what_was_proven_and_where_it_lies(run_folder, capsys):
    assert run(["export", str(run_folder), "--provider", "cpu", "--gate", "logit_error=0.5"]) == 0
    told = capsys.readouterr()
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    model = run_folder / "model.onnx"
    for start in (
        "labels of model.onnx",
        "along the data's path",
        "gate logit_error: 0.5 in place of 0.001",
        "NOT PROVEN: fp32 on 'cpu', 4 frames, mean IoU 0.9",  # four frames prove no class
        f"model {model} (0.15 MB)",
        f"report {model}.parity.json",
        f"picture {model}.parity.png",
        f"next segtool bench {model}",
    ):
        assert [line for line in lines if line.startswith(start)], start
    assert load_model_file(model).spec.parity["gates_changed"] == [
        {"name": "logit_error", "default": 0.001, "used": 0.5}
    ]


def test_export_that_a_gate_refuses_gives_1_and_leaves_only_the_rejected_file(run_folder, capsys):
    out = run_folder / "front.onnx"
    assert run(["export", str(run_folder), "--provider", "cpu", "--gate", "agreement=1.5", "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert "front.onnx: refused (label agreement is 100.0000%, at least 150.000% is needed)" in told
    assert "front.onnx.rejected" in told
    left = sorted(path.name for path in run_folder.iterdir() if path.name.startswith("front"))
    assert left == [f"front.onnx.rejected{suffix}" for suffix in ("", ".parity.json", ".parity.png")]


def test_export_camera_of_another_aspect_gives_2_and_the_crop_that_fits(run_folder, capsys):
    assert run(["export", str(run_folder), "--camera", "1920x1208"]) == 2
    told = capsys.readouterr().err
    assert "--camera 1920x1208" in told
    assert "give --crop 356,0,1208,1208, or --stretch" in told
    assert told.count("\n") == 1
