"""`segtool compare` on model files that are tables of a frame's red level, so that every label is known beforehand."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from runtime.seal import seal
from runtime.spec import SPEC_KEY, ModelSpec
from segtool.__main__ import run
from trainer.data.label_space import label_space

SIDE_PX = 20
SPACE = label_space("categories")
FLAT, CONSTRUCTION, OBJECT, NATURE, SKY = range(5)
COLOURS = {FLAT: (128, 64, 128), CONSTRUCTION: (70, 70, 70), OBJECT: (220, 220, 0), SKY: (70, 130, 180)}
STRAY, HARD_SKY = 205, 215  # red levels on which a test's two files differ


@pytest.fixture
def write_table(tmp_path):
    """Writes a model file that answers `table[red level]`, and the level over 30 for any other."""

    def write(name, table, space=SPACE):
        answers = (np.arange(256) // 30).clip(max=6).astype(np.uint8)
        for level, answer in table.items():
            answers[level] = answer
        nodes = [
            helper.make_node("Gather", ["image", "red"], ["level"], axis=3),
            helper.make_node("Cast", ["level"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["answers", "index"], ["labels"], axis=0),
        ]
        size = [1, SIDE_PX, SIDE_PX]
        graph = helper.make_graph(
            nodes,
            "table",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [*size, 3])],
            [helper.make_tensor_value_info("labels", TensorProto.UINT8, size)],
            [
                helper.make_tensor("red", TensorProto.INT64, [], [0]),
                onnx.numpy_helper.from_array(answers, "answers"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        spec = ModelSpec(
            label_space=space.name,
            classes=space.classes,
            palette=space.palette,
            height_px=SIDE_PX,
            width_px=SIDE_PX,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            precision="fp32",
            training={"run": "by hand"},
            producer={"segtool": "0"},
        )
        helper.set_model_props(model, {SPEC_KEY: spec.to_json()})
        file = tmp_path / name
        file.write_bytes(seal(model.SerializeToString()))
        return file

    return write


@pytest.fixture
def street(tmp_path):
    """Twelve pairs: flat and construction in random places, 40 px of sky (half of it hard), 20 of object (2 stray)."""
    random = np.random.default_rng(0)
    (tmp_path / "street" / "train").mkdir(parents=True)
    (tmp_path / "street" / "val").mkdir()
    for number in range(12):
        truth = random.integers(0, 2, SIDE_PX * SIDE_PX)
        places = random.permutation(truth.size)
        truth[places[:40]], truth[places[40:60]] = SKY, OBJECT
        levels = 30 * truth + 15
        levels[places[:20]], levels[places[40:42]] = HARD_SKY, STRAY
        photo = np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)
        mask = np.array([COLOURS[label] for label in truth], np.uint8)
        pair = np.hstack([each.reshape(SIDE_PX, SIDE_PX, 3) for each in (photo, mask)])
        for split in ("train", "val"):
            Image.fromarray(pair).save(tmp_path / "street" / split / f"{number}.png")
    return tmp_path / "street"


def test_compare_of_a_rare_class_that_fell_while_the_mean_rose_gives_1_and_names_it(
    write_table, street, tmp_path, capsys
):
    old = write_table("old.onnx", {STRAY: OBJECT, HARD_SKY: NATURE})
    new = write_table("new.onnx", {STRAY: CONSTRUCTION, HARD_SKY: SKY})
    out = tmp_path / "out"
    arguments = ["--provider", "cpu", "--min-pixels", "200", "--max-drop", "0.02", "--out", str(out), "--worst", "3"]
    assert run(["compare", str(old), str(new), str(street), *arguments]) == 1
    shown = capsys.readouterr()
    assert "got worse than allowed: object; not proven: nature, human, vehicle; keep old.onnx" in shown.err
    assert "object: recall fell by 0.1000 (95 %: 0.1000 to 0.1000), at most 0.02 is allowed\n" in shown.out
    record = json.loads((out / "comparison.json").read_text())
    assert record["mean_iou"]["change"] > 0.05
    states = {each["name"]: each["state"] for each in record["classes"]}
    assert (states["flat"], states["object"], states["sky"]) == ("holds", "worse", "holds")
    assert (record["old"]["file"], record["new"]["provider"], record["strict"]) == ("old.onnx", "cpu", False)
    assert record["changed"]["share"] == pytest.approx(22 / 400)
    assert len(record["worst_frames"]) == 3
    with Image.open(out / "worst_frames.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_compare_of_a_file_that_flips_half_a_percent_reads_half_a_percent_without_torch(
    segtool_process, write_table, street, tmp_path
):
    old, new = (write_table(f"{answer}.onnx", {STRAY: answer}) for answer in (OBJECT, FLAT))
    file = tmp_path / "compared.json"
    done = segtool_process(
        "compare", old, new, street, "--max-drop", "0.2", "--json", file, blocked=("torch", "onnx", "accelerate")
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.500 % of 4,800 pixels with a truth changed" in done.stdout  # 2 of 400
    assert 100 * json.loads(file.read_text())["changed"]["share"] == pytest.approx(0.5, abs=0.05)


def test_compare_of_a_file_with_itself_holds_and_strict_wants_every_class_proven(write_table, street, tmp_path, capsys):
    file = write_table("same.onnx", {STRAY: OBJECT})
    arguments = ["compare", str(file), str(file), str(street), "--min-pixels", "200", "--out", str(tmp_path / "out")]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "nothing is shown to be worse than allowed; not proven: nature, human, vehicle\n" in shown
    assert "no frame lost anything: there is no picture to draw" in shown
    assert run([*arguments, "--strict"]) == 1
    assert "not proven: nature, human, vehicle; keep same.onnx" in capsys.readouterr().err


def test_compare_of_other_label_spaces_is_refused_by_name(write_table, street, capsys):
    old, new = write_table("old.onnx", {}), write_table("new.onnx", {}, label_space("cityscapes"))
    assert run(["compare", str(old), str(new), str(street)]) == 4
    assert "expected the label space 'categories'" in (message := capsys.readouterr().err)
    assert "got 'cityscapes'" in message


def test_compare_with_nothing_gives_4(write_table, street, tmp_path, capsys):
    assert run(["compare", str(write_table("old.onnx", {})), str(tmp_path / "absent"), str(street)]) == 4
    assert "absent: expected a run's folder or a FILE.onnx, found nothing there" in capsys.readouterr().err


def test_compare_with_an_allowance_that_is_no_share_gives_2(street, capsys):
    assert run(["compare", str(street), str(street), str(street), "--max-drop", "3"]) == 2
    assert "expected a fall of 0 to 1, got 3.0" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "value"), [("--provider", "cpu"), ("--threads", "1")])
def test_compare_of_runs_on_an_engine_is_refused(street, capsys, flag, value):
    assert run(["compare", str(street), str(street), str(street), flag, value]) == 2
    assert f"{flag} is for a FILE.onnx, got the runs" in capsys.readouterr().err


def test_compare_of_a_run_with_a_file_labels_it_by_its_best_network(write_table, street, tmp_path, monkeypatch):
    asked = []

    def load_trained(path):
        asked.append(path)
        config = SimpleNamespace(height_px=SIDE_PX, width_px=SIDE_PX)
        network = {"epoch": 7, "config": {"network": {"name": "unet", "width": 16}}}
        return SimpleNamespace(
            config=config, label_space=SPACE.name, classes=SPACE.classes, checkpoint=SimpleNamespace(record=network)
        )

    def frame_labels(trained):
        answers = (np.arange(256) // 30).clip(max=6).astype(np.uint8)
        answers[STRAY] = FLAT
        return lambda image_hwc: answers[image_hwc[..., 0]]

    stand_in = ModuleType("trainer.evaluate")
    stand_in.load_trained, stand_in.frame_labels = load_trained, frame_labels
    monkeypatch.setitem(sys.modules, "trainer.evaluate", stand_in)
    run_folder, file = tmp_path / "run", tmp_path / "compared.json"
    run_folder.mkdir()
    new = write_table("new.onnx", {STRAY: OBJECT})
    assert run(["compare", str(run_folder), str(new), str(street), "--json", str(file)]) == 0
    assert asked == [run_folder / "best.safetensors"]
    record = json.loads(file.read_text())
    assert record["old"] == {
        "run": "run",
        "epoch": 7,
        "network": "unet 16",
        "width_px": SIDE_PX,
        "height_px": SIDE_PX,
        "classes": 7,
    }
    assert (record["changed"]["better"], record["changed"]["worse"]) == (24, 0)
