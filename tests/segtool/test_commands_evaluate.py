"""`segtool eval` on four hand-made pixels by four; the run's side with a stand-in for the trainer."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segtool.__main__ import run
from trainer.tally import Tally

# truth: 8 road, 7 building, 1 sign; the file calls the 8 road, the other 8 building
ROAD, BUILDING, SIGN = 1.0, 7 / 8, 0.0


def test_eval_of_a_file_writes_the_scores_worked_out_by_hand(model_file, pairs_folder, tmp_path, capsys):
    file = tmp_path / "e.json"
    assert run(["eval", str(model_file), str(pairs_folder), "--provider", "cpu", "--json", str(file)]) == 0
    record = json.loads(file.read_text())
    assert record["classes"]["flat"]["iou"] == ROAD
    assert record["classes"]["construction"]["iou"] == BUILDING
    assert record["classes"]["object"] == {"iou": SIGN, "dice": 0.0, "accuracy": 0.0}
    assert record["classes"]["sky"]["iou"] is None
    assert record["mean_iou"] == pytest.approx((ROAD + BUILDING + SIGN) / 3)
    assert record["pixel_accuracy"] == 15 / 16
    assert (record["averaged_classes"], record["pixels"]) == (3, 16)
    assert (record["kind"], record["file"], record["provider"], record["split"]) == ("eval", "model.onnx", "cpu", "val")
    table = capsys.readouterr().out
    assert "mean of 3" in table
    assert "0.8750" in table
    assert "pixel accuracy 93.75 % of 16 valid pixels, by cpu\n" in table
    assert "0 of 1 frames have a pixel without a valid answer (255)" in table
    assert record["confusion"]["truth"] == list(record["classes"])
    pixels = dict(zip(record["confusion"]["truth"], record["confusion"]["pixels"], strict=True))
    assert (pixels["flat"][:2], pixels["construction"][:2], pixels["object"][:2]) == ([8, 0], [0, 7], [0, 1])


def test_eval_with_a_confusion_picture_draws_it_without_torch(segtool_process, model_file, pairs_folder, tmp_path):
    file = tmp_path / "e.png"
    done = segtool_process("eval", model_file, pairs_folder, "--confusion", file, blocked=("torch", "onnx"))
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(file) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_eval_with_a_confusion_picture_of_another_kind_is_refused(model_file, pairs_folder, tmp_path, capsys):
    assert run(["eval", str(model_file), str(pairs_folder), "--confusion", str(tmp_path / "e.svg")]) == 2
    assert "the picture is a PNG, got 'e.svg'" in capsys.readouterr().err


@pytest.mark.parametrize("batch", [1, 3])
def test_eval_of_a_cropping_camera_file_scores_the_whole_picture(write_camera_model, pairs_folder, tmp_path, batch):
    file = tmp_path / "e.json"
    model = write_camera_model(crop=(0, 1, 4, 4), batch=batch, confidence={"temperature": 1.0})
    assert run(["eval", str(model), str(pairs_folder), "--provider", "cpu", "--json", str(file)]) == 0
    record = json.loads(file.read_text())
    assert [record["classes"][name]["iou"] for name in ("flat", "construction", "object")] == [ROAD, BUILDING, SIGN]
    assert record["pixels"] == 16
    assert (record["camera"]["layout"], record["camera"]["crop"]) == ("bgr", [0, 1, 4, 4])
    assert (record["batch"], record["labels_width_px"], record["labels_height_px"]) == (batch, 4, 4)


def test_eval_of_a_camera_file_by_size_and_in_other_light_runs_over_its_frames(
    write_camera_model, pairs_folder, tmp_path
):
    file = tmp_path / "e.json"
    arguments = ["--by-size", "--robustness", "--provider", "cpu", "--json", str(file)]
    assert run(["eval", str(write_camera_model(crop=(0, 1, 4, 4))), str(pairs_folder), *arguments]) == 0
    record = json.loads(file.read_text())
    as_it_is = next(each for each in record["robustness"] if each["condition"] == "as it is")
    assert as_it_is["mean_iou"] == record["mean_iou"]
    assert sum(each["pixels"] for each in record["by_size"]) == 16


def test_eval_of_a_file_for_batches_by_size_is_refused(write_camera_model, pairs_folder, capsys):
    assert run(["eval", str(write_camera_model(batch=2)), str(pairs_folder), "--by-size"]) == 2
    assert "which takes 2 at once; give a file exported with --batch 1" in capsys.readouterr().err


def test_eval_of_a_file_with_other_classes_is_refused(write_model, pairs_folder, capsys):
    swapped = ("construction", "flat", "object", "nature", "sky", "human", "vehicle")
    assert run(["eval", str(write_model(classes=swapped)), str(pairs_folder)]) == 4
    assert "'construction', 'flat'" in capsys.readouterr().err


def test_eval_of_an_absent_split_gives_3(model_file, pairs_folder, capsys):
    assert run(["eval", str(model_file), str(pairs_folder), "--split", "test"]) == 3
    assert "'test'" in capsys.readouterr().err


def test_eval_of_neither_run_nor_file_gives_4(pairs_folder, tmp_path, capsys):
    assert run(["eval", str(tmp_path / "absent"), str(pairs_folder)]) == 4
    assert "absent" in capsys.readouterr().err


def test_eval_of_neither_over_views_says_that_nothing_is_there(pairs_folder, tmp_path, capsys):
    assert run(["eval", str(tmp_path / "absent"), str(pairs_folder), "--flip"]) == 4
    assert "absent: expected" in capsys.readouterr().err


@pytest.fixture
def stand_in_trainer(monkeypatch):
    """A trainer whose network takes a quarter of the road for sky; returns what it was asked."""
    asked = []
    space = SimpleNamespace(classes=("road", "sky"), palette=((128, 64, 128), (70, 130, 180)))
    trained = SimpleNamespace(config=SimpleNamespace(height_px=4, width_px=4))

    def open_run(folder, data):
        asked.append((folder, data))
        return trained, SimpleNamespace(label_space=space)

    def evaluate_run(network, dataset, split):
        asked.append((network, split))
        tally = Tally(2)
        truth = np.repeat(np.array([0, 1], np.uint8), 4).reshape(1, 2, 4)
        predicted = truth.copy()
        predicted[0, 0, 0] = 1
        tally.add(truth, predicted)
        return tally

    stand_in = ModuleType("trainer.evaluate")
    stand_in.open_run, stand_in.evaluate_run, stand_in.frame_labels = open_run, evaluate_run, id
    monkeypatch.setitem(sys.modules, "trainer.evaluate", stand_in)
    return asked


def test_eval_of_a_run_prints_what_the_trainer_counts(stand_in_trainer, tmp_path, capsys):
    data, file, drawn = tmp_path / "data.zip", tmp_path / "e.json", tmp_path / "e.PNG"
    arguments = ["--split", "train", "--json", str(file), "--confusion", str(drawn)]
    assert run(["eval", str(tmp_path), str(data), *arguments]) == 0
    assert stand_in_trainer[0] == (tmp_path, data)
    assert stand_in_trainer[1][1] == "train"
    record = json.loads(file.read_text())
    assert record["run"] == tmp_path.name
    assert record["classes"]["road"]["iou"] == 3 / 4
    assert record["confusion"]["pixels"] == [[3, 1, 0], [0, 4, 0]]
    assert (record["frames"], record["invalid_frames"]) == (1, 0)
    assert "0.8000" in capsys.readouterr().out  # sky: 4 of 5
    with Image.open(drawn) as picture:
        assert picture.format == "PNG"


def test_eval_of_a_run_with_extras_opens_run_and_data_once(stand_in_trainer, monkeypatch, tmp_path):
    measured = []
    monkeypatch.setattr("segtool.commands.evaluate._extras", lambda extras, *_: measured.append(extras) or {})
    assert run(["eval", str(tmp_path), str(tmp_path), "--by-size", "--robustness"]) == 0
    assert measured == [("robustness", "by_size")]
    assert len(stand_in_trainer) == 2


def test_eval_of_a_run_on_a_provider_is_refused(tmp_path, capsys):
    assert run(["eval", str(tmp_path), str(tmp_path), "--provider", "cuda"]) == 2
    assert "--provider cuda" in capsys.readouterr().err


def test_eval_of_a_file_without_torch_works(segtool_process, model_file, pairs_folder):
    done = segtool_process("eval", model_file, pairs_folder, blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.8750" in done.stdout


def test_eval_of_a_file_with_robustness_writes_every_condition_without_torch(
    segtool_process, model_file, pairs_folder, tmp_path
):
    file = tmp_path / "e.json"
    arguments = ("eval", model_file, pairs_folder, "--robustness", "--json", file)
    done = segtool_process(*arguments, blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(file.read_text())
    assert record["robustness"][0] == {
        "condition": "as it is",
        "value": 1.0,
        "mean_iou": record["mean_iou"],
        "iou": {name: scored["iou"] for name, scored in record["classes"].items()},
    }
    assert {each["condition"] for each in record["robustness"]} == {"as it is", "brightness", "gamma", "blur px"}
    assert "blur px" in done.stdout


@pytest.mark.parametrize("flags", [["--flip"], ["--scales", "0.75,1"]])
def test_eval_of_a_file_over_views_is_refused(model_file, pairs_folder, capsys, flags):
    assert run(["eval", str(model_file), str(pairs_folder), *flags]) == 2
    assert "--flip and --scales average what a RUN's network says, got a file" in capsys.readouterr().err


@pytest.mark.parametrize("extra", ["--robustness", "--by-size"])
def test_eval_of_views_and_more_at_once_is_refused(tmp_path, capsys, extra):
    assert run(["eval", str(tmp_path), str(tmp_path), "--flip", extra]) == 2
    assert f"{extra} measures one view of a frame, got --flip or --scales with it" in capsys.readouterr().err


def test_eval_of_a_file_by_size_adds_up_to_its_scores_without_torch(
    segtool_process, model_file, pairs_folder, tmp_path
):
    file = tmp_path / "e.json"
    arguments = ("eval", model_file, pairs_folder, "--by-size", "--json", file)
    done = segtool_process(*arguments, blocked=("torch", "onnx", "accelerate"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "small recall" in done.stdout
    record = json.loads(file.read_text())
    assert {each["size"] for each in record["by_size"]} == {"small", "medium", "large"}
    assert sum(each["pixels"] for each in record["by_size"]) == record["pixels"]
    hit = sum(each["recall"] * each["pixels"] for each in record["by_size"] if each["pixels"])
    assert hit / record["pixels"] == pytest.approx(record["pixel_accuracy"])
