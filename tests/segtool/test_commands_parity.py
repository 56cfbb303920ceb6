"""`segtool parity` against a pack whose answers are worked out by hand: a pixel's label is its strongest channel."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.proof.pack import PackFrame, save_pack
from runtime.model_file import load_model_file
from segtool.__main__ import run

SIZE_PX, FRAMES = 24, 12
TORCH_FREE = ("torch", "torchvision", "accelerate", "safetensors", "onnx", "onnxscript")

WritePack = Callable[..., Path]


@pytest.fixture
def file(write_model: Callable[..., Path]) -> Path:
    return write_model(height_px=SIZE_PX, width_px=SIZE_PX)


@pytest.fixture
def write_pack(file: Path, tmp_path: Path) -> WritePack:
    """Returns a function that packs noise with the right labels; `change` spoils a frame as a faulty file would."""

    def write(
        change: Callable[[PackFrame], PackFrame] | None = None,
        about: Mapping[str, object] | None = None,
        **spec_changes: object,
    ) -> Path:
        random = np.random.default_rng(4)
        images = random.integers(1, 256, (FRAMES, SIZE_PX, SIZE_PX, 3), np.uint8)
        frames = [
            PackFrame(
                name=f"val/{index}.png",
                image=image,
                truth_hw=image.argmax(-1).astype(np.uint8),
                reference_hw=image.argmax(-1).astype(np.uint8),
                margin_hw=np.ones((SIZE_PX, SIZE_PX), np.float32),
            )
            for index, image in enumerate(images)
        ]
        spec = replace(load_model_file(file).spec, **spec_changes)
        path = tmp_path / "PACK.zip"
        told = {"run": {"name": "by hand"}, "data": {"name": "noise"}, **(about or {})}
        save_pack(path, spec, told, [change(frame) if change else frame for frame in frames])
        return path

    return write


def swapped(frame: PackFrame) -> PackFrame:
    """What a file sees that reads BGR for RGB."""
    return replace(frame, image=np.ascontiguousarray(frame.image[..., ::-1]))


def test_parity_with_a_pack_passes_and_says_what_is_not_proven(file, write_pack, tmp_path, capsys):
    report = tmp_path / "p.json"
    pack = write_pack()
    assert run(["parity", str(file), "--pack", str(pack), "--provider", "cpu", "--json", str(report)]) == 0
    told = capsys.readouterr()
    assert "PASSED: fp32 on 'cpu', 12 frames, mean IoU 1.0000 -> 1.0000" in told.out
    assert "not proven: sky: is on none of the 12 frames" in told.out
    assert told.err == ""
    found = json.loads(report.read_text())
    assert (found["passed"], found["agreement"], found["frames"]) == (True, 1.0, FRAMES)
    verdicts = {each["name"]: each["verdict"] for each in found["classes"]}
    assert [verdicts[name] for name in ("flat", "construction", "object", "sky")] == ["passed"] * 3 + ["not proven"]
    assert found["file"]["sha256"] == load_model_file(file).sha256
    assert found["against"]["pack"] == "PACK.zip"
    assert found["against"]["run"] == {"name": "by hand"}


def test_parity_of_a_file_that_answers_differently_gives_1_after_writing_everything(file, write_pack, tmp_path, capsys):
    paths = {name: tmp_path / f"out.{name}" for name in ("json", "picture", "record")}
    flags = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    assert run(["parity", str(file), "--pack", str(write_pack(swapped)), "--provider", "cpu", *flags]) == 1
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "got others on 'cpu': label agreement is" in told.err
    assert "FAILED: fp32 on 'cpu'" in told.out
    assert json.loads(paths["json"].read_text())["passed"] is False
    assert json.loads(paths["record"].read_text())["passed"] is False
    with Image.open(paths["picture"]) as picture:
        assert (picture.format, picture.width) == ("PNG", 8 + 5 * 264)


def test_parity_with_a_pack_without_torch_writes_the_signed_record(segtool_process, file, write_pack, tmp_path):
    record, picture, pack = tmp_path / "r.json", tmp_path / "p.png", write_pack()
    arguments = ("parity", file, "--pack", pack, "--record", record, "--signed", "A. Engineer", "--picture", picture)
    done = segtool_process(*arguments, blocked=TORCH_FREE)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(record.read_text())
    assert found["proven"] is True
    assert (found["kind"], found["passed"], found["signed"]) == ("parity-record", True, "A. Engineer")
    assert (found["file"]["name"], found["file"]["sha256"]) == ("model.onnx", load_model_file(file).sha256)
    assert len(found["against"]["pack_sha256"]) == 64
    assert found["machine"]["packages"]["numpy"]
    assert found["machine"]["cores"] >= 1
    assert found["date"].endswith("+00:00")
    assert found["provider"] == "cpu"
    assert {each["name"] for each in found["proof"]["classes"]} >= {"flat", "sky"}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_parity_with_a_moved_gate_says_so_everywhere(file, write_pack, tmp_path, capsys):
    def one_row(frame: PackFrame) -> PackFrame:
        reference = frame.reference_hw.copy()
        reference[0] = (reference[0] + 1) % 3
        return replace(frame, reference_hw=reference)

    record, pack = tmp_path / "r.json", str(write_pack(one_row))
    assert run(["parity", str(file), "--pack", pack, "--provider", "cpu"]) == 1
    assert "confident pixels flipped" in capsys.readouterr().err
    gates = ["agreement=0.9", "confident_agreement=0.9"]
    flags = [text for gate in gates for text in ("--gate", gate)]
    assert run(["parity", str(file), "--pack", pack, "--provider", "cpu", "--record", str(record), *flags]) == 0
    assert "gate agreement: 0.9 in place of 0.9999" in capsys.readouterr().out
    changed = {each["name"]: each["used"] for each in json.loads(record.read_text())["gates_changed"]}
    assert changed == {gate.partition("=")[0]: float(gate.partition("=")[2]) for gate in gates}


def test_parity_of_a_stricter_gate_fails_what_passed(file, write_pack, capsys):
    def one_pixel(frame: PackFrame) -> PackFrame:
        reference = frame.reference_hw.copy()
        margin = frame.margin_hw.copy()
        if frame.name == "val/0.png":
            reference[0, 0] = (reference[0, 0] + 1) % 3
            margin[0, 0] = 0  # a near tie
        return replace(frame, reference_hw=reference, margin_hw=margin)

    pack = str(write_pack(one_pixel))
    loose = ["--gate", "agreement=0.999"]
    assert run(["parity", str(file), "--pack", pack, "--provider", "cpu", *loose]) == 0
    assert run(["parity", str(file), "--pack", pack, "--provider", "cpu", "--gate", "agreement=1"]) == 1
    assert "99.9855%" in capsys.readouterr().err  # 1 of 6,912 pixels


def test_parity_with_a_pack_for_another_door_gives_3_and_names_the_difference(write_model, write_pack, capsys):
    pack = write_pack()
    other = write_model("other.onnx", height_px=SIZE_PX, width_px=2 * SIZE_PX)
    assert run(["parity", str(other), "--pack", str(pack)]) == 3
    assert "network size 24x24, the file has 48x24" in capsys.readouterr().err


def test_parity_with_a_pack_of_another_training_notes_it(file, write_pack, capsys):
    pack = write_pack(training={"run": "another", "seed": 0})
    assert run(["parity", str(file), "--pack", str(pack), "--provider", "cpu"]) == 0
    assert "note: PACK.zip was made from another training than the file names: it has run another" in (
        capsys.readouterr().out
    )


def test_parity_with_a_damaged_pack_gives_3(file, write_pack, capsys):
    pack = write_pack()
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    assert run(["parity", str(file), "--pack", str(pack), "--provider", "cpu"]) == 3
    assert "PACK.zip" in capsys.readouterr().err


def test_parity_with_fewer_frames_of_the_pack(file, write_pack, capsys):
    assert run(["parity", str(file), "--pack", str(write_pack()), "--provider", "cpu", "--frames", "3"]) == 0
    assert "'cpu', 3 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        ([], 2, "got neither"),
        (["--run", "r", "--pack", "p"], 2, "got both"),
        (["--pack", "p", "--data", "d"], 2, "--data goes with --run RUN, got --pack p"),
        (["--pack", "p", "--bisect"], 2, "--bisect goes with --run RUN, got --pack p"),
        (["--pack", "p", "--signed", "A. Engineer"], 2, "--signed 'A. Engineer' signs a record, got no --record"),
        (["--pack", "p", "--gate", "agreement"], 2, "expected NAME=NUMBER, such as agreement=0.999, got 'agreement'"),
        (["--pack", "p", "--gate", "accord=1"], 2, "got 'accord'"),
        (["--pack", "p", "--gate", "agreement=nan"], 2, "got nan"),
        (["--pack", "absent.zip"], 3, "absent.zip: expected a readable"),
        (["--run", "absent"], 4, "absent/best.safetensors: expected a checkpoint, found none"),
    ],
)
def test_parity_of_what_does_not_go_together_is_refused(file, capsys, flags, code, told):
    assert run(["parity", str(file), *flags]) == code
    assert told in capsys.readouterr().err


def test_parity_of_no_file_gives_4(tmp_path, capsys):
    assert run(["parity", str(tmp_path / "absent.onnx"), "--pack", "p"]) == 4
    assert "absent.onnx" in capsys.readouterr().err


def test_parity_with_a_run_without_torch_gives_5(segtool_process, file):
    done = segtool_process("parity", file, "--run", "somewhere", blocked=TORCH_FREE)
    assert done.returncode == 5
    assert 'pip install "segtool[train]"' in done.stderr


def test_parity_on_too_few_frames_is_recorded_as_passed_but_not_proven(file, write_pack, tmp_path, capsys):
    record, pack = tmp_path / "r.json", str(write_pack())
    assert (
        run(["parity", str(file), "--pack", pack, "--provider", "cpu", "--frames", "1", "--record", str(record)]) == 0
    )
    assert "NOT PROVEN: fp32" in capsys.readouterr().out
    found = json.loads(record.read_text())
    assert (found["passed"], found["proven"]) == (True, False)


def test_parity_record_takes_the_packs_hash_from_its_bytes_and_not_from_its_words(file, write_pack, tmp_path):
    record, pack = tmp_path / "r.json", write_pack(about={"pack_sha256": "0" * 64, "pack": "GOOD.zip", "frames": 9999})
    assert run(["parity", str(file), "--pack", str(pack), "--provider", "cpu", "--record", str(record)]) == 0
    against = json.loads(record.read_text())["against"]
    expected = hashlib.sha256(pack.read_bytes()).hexdigest()
    assert (against["pack_sha256"], against["pack"], against["frames"]) == (expected, "PACK.zip", FRAMES)


@pytest.mark.parametrize(
    "flags", [["--json", "model.onnx"], ["--picture", "PACK.zip"], ["--json", "a", "--record", "a"]]
)
def test_parity_never_writes_over_what_it_reads_or_has_written(file, write_pack, monkeypatch, capsys, flags):
    pack = write_pack()
    before = file.read_bytes(), pack.read_bytes()
    monkeypatch.chdir(file.parent)
    assert pack.parent == file.parent
    assert run(["parity", "model.onnx", "--pack", str(pack), "--provider", "cpu", *flags]) == 2
    assert f"{flags[-1]}: expected a file of its own" in capsys.readouterr().err
    assert (file.read_bytes(), pack.read_bytes()) == before
