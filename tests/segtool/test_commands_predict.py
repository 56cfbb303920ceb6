"""`segtool predict` on a model whose every label is known."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from segtool.__main__ import run

RED, GREEN, BLUE, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 200), (0, 0, 0)


def picture(*columns, height_px=6, column_px=4):
    return np.concatenate([np.full((height_px, column_px, 3), colour, np.uint8) for colour in columns], axis=1)


def save(path, *columns, **size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*columns, **size)).save(path)


def labels_of(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_predict_one_image_writes_labels_at_its_own_size(model_file, tmp_path, capsys):
    # 16x6: four columns of 4 pixels come down to the network's 4x4, one pixel of width each, and go back by nearest
    save(tmp_path / "street.png", RED, GREEN, BLUE, GREEN)
    out = tmp_path / "out"
    assert run(["predict", str(model_file), str(tmp_path / "street.png"), "--out", str(out), "--provider", "cpu"]) == 0
    labels = labels_of(out / "street.png")
    assert labels.shape == (6, 16)
    np.testing.assert_array_equal(labels, np.tile(np.repeat([0, 1, 2, 1], 4), (6, 1)).astype(np.uint8))
    assert [each.name for each in out.iterdir()] == ["street.png"]
    assert "1 label maps" in capsys.readouterr().out


def test_predict_a_folder_keeps_names_and_writes_overlays(model_file, tmp_path):
    save(tmp_path / "frames" / "a.jpg", RED, RED)
    save(tmp_path / "frames" / "sub" / "b.png", BLUE, BLUE)
    (tmp_path / "frames" / "notes.txt").write_text("no image")
    out = tmp_path / "out"
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(out), "--overlay"]) == 0
    written = sorted(str(each.relative_to(out)) for each in out.rglob("*") if each.is_file())
    assert written == ["a.overlay.png", "a.png", "sub/b.overlay.png", "sub/b.png"]
    assert set(np.unique(labels_of(out / "sub" / "b.png"))) == {2}
    with Image.open(out / "sub" / "b.overlay.png") as overlay:
        assert (overlay.mode, overlay.size) == ("RGB", (8, 6))
        mean = np.asarray(overlay).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(mean, (np.array(BLUE) + np.array((220, 220, 0))) / 2, atol=1)  # object is 220, 220, 0


def test_predict_a_zip_reads_it_in_place(model_file, tmp_path):
    save(tmp_path / "b.png", GREEN)
    with zipfile.ZipFile(tmp_path / "frames.zip", "w") as archive:
        archive.write(tmp_path / "b.png", "day/b.png")
    assert run(["predict", str(model_file), str(tmp_path / "frames.zip"), "--out", str(tmp_path / "out")]) == 0
    assert set(np.unique(labels_of(tmp_path / "out" / "day" / "b.png"))) == {1}


@pytest.mark.parametrize("batch", [1, 2])
def test_predict_with_a_cropping_camera_file_labels_the_whole_image(write_camera_model, tmp_path, batch):
    # 4x6 BGR, of which 4x4 are seen: each image fills these, and its labels go back to its own size
    file = write_camera_model(crop=(0, 1, 4, 4), batch=batch)
    for name, columns in {"a": (RED, GREEN, BLUE, GREEN), "b": (BLUE,) * 4, "c": (GREEN,) * 4}.items():
        save(tmp_path / "frames" / f"{name}.png", *columns)
    out = tmp_path / "out"
    assert run(["predict", str(file), str(tmp_path / "frames"), "--out", str(out), "--provider", "cpu"]) == 0
    np.testing.assert_array_equal(
        labels_of(out / "a.png"), np.tile(np.repeat([0, 1, 2, 1], 4), (6, 1)).astype(np.uint8)
    )
    assert set(np.unique(labels_of(out / "b.png"))) == {2}
    assert set(np.unique(labels_of(out / "c.png"))) == {1}


def test_predict_for_batches_names_the_image_that_has_no_valid_answer(write_camera_model, tmp_path, capsys):
    for name, colour in {"a": RED, "b": BLACK, "c": GREEN}.items():
        save(tmp_path / "frames" / f"{name}.png", colour)
    (tmp_path / "frames" / "b2.jpg").write_bytes(b"")
    file = write_camera_model(batch=2)
    assert run(["predict", str(file), str(tmp_path / "frames"), "--out", str(tmp_path / "out")]) == 3
    (tmp_path / "frames" / "b2.jpg").unlink()
    assert run(["predict", str(file), str(tmp_path / "frames"), "--out", str(tmp_path / "out")]) == 0
    assert "no valid answer (label 255) in 1 of them, the first: b.png" in capsys.readouterr().out


def test_predict_without_a_valid_answer_says_so(model_file, tmp_path, capsys):
    save(tmp_path / "frames" / "night.png", BLACK)
    save(tmp_path / "frames" / "day.png", RED)
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(tmp_path / "out")]) == 0
    assert set(np.unique(labels_of(tmp_path / "out" / "night.png"))) == {255}
    assert "no valid answer (label 255) in 1 of them, the first: night.png" in capsys.readouterr().out


def test_predict_with_bad_images_names_them_and_writes_the_others(model_file, tmp_path, capsys):
    save(tmp_path / "frames" / "good.png", RED)
    (tmp_path / "frames" / "empty.jpg").write_bytes(b"")
    (tmp_path / "frames" / "cut.png").write_bytes((tmp_path / "frames" / "good.png").read_bytes()[:-20])
    out = tmp_path / "out"
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(out)]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2 of 3 images could not be read" in error
    assert "empty.jpg" in error
    assert "cut.png" in error
    assert [each.name for each in out.iterdir()] == ["good.png"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [("cut.jpg", b"\xff\xd8\xff\xe0", "cut.jpg"), ("no.bmp", b"BM", "no.bmp"), ("absent.png", None, "absent.png")],
)
def test_predict_one_bad_image_gives_3_and_its_name(model_file, tmp_path, capsys, name, data, told):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert run(["predict", str(model_file), str(tmp_path / name), "--out", str(tmp_path / "out")]) == 3
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_predict_a_folder_without_images_gives_3(model_file, tmp_path, capsys):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "notes.txt").write_text("no image")
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(tmp_path / "out")]) == 3
    assert ".jpg, .jpeg, .png" in capsys.readouterr().err


def test_predict_into_the_folder_of_its_images_is_refused_and_overwrites_none(model_file, tmp_path, capsys):
    save(tmp_path / "frames" / "a.png", RED)
    before = (tmp_path / "frames" / "a.png").read_bytes()
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(tmp_path / "frames")]) == 2
    assert "would overwrite this input picture" in capsys.readouterr().err
    assert (tmp_path / "frames" / "a.png").read_bytes() == before


def test_predict_among_its_pictures_is_refused_or_the_next_run_would_label_labels(model_file, tmp_path, capsys):
    save(tmp_path / "frames" / "a.jpg", RED)
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(tmp_path / "frames")]) == 2
    assert "would be labelled themselves the next time" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["a.jpg"]


def test_predict_of_two_names_that_share_a_result_is_refused(model_file, tmp_path, capsys):
    save(tmp_path / "frames" / "a.png", RED)
    save(tmp_path / "frames" / "a.jpg", RED)
    assert run(["predict", str(model_file), str(tmp_path / "frames"), "--out", str(tmp_path / "out")]) == 2
    assert "a.jpg and a.png would share this name" in capsys.readouterr().err


def test_predict_where_nothing_can_be_written_gives_6(model_file, tmp_path, capsys):
    save(tmp_path / "a.png", RED)
    (tmp_path / "out").write_text("a file where the folder should be")
    assert run(["predict", str(model_file), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 6
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_predict_with_an_altered_file_gives_4(model_file, tmp_path, capsys):
    save(tmp_path / "a.png", RED)
    data = bytearray(model_file.read_bytes())
    data[40] ^= 1
    model_file.write_bytes(data)
    assert run(["predict", str(model_file), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 4
    assert "model.onnx" in capsys.readouterr().err


def test_predict_with_an_unknown_provider_fails_in_one_line(model_file, tmp_path, capsys):
    save(tmp_path / "a.png", RED)
    arguments = ["predict", str(model_file), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert run([*arguments, "--provider", "abacus"]) in (2, 5)
    assert "abacus" in capsys.readouterr().err


def test_predict_without_torch_works(segtool_process, model_file, tmp_path):
    save(tmp_path / "a.png", RED)
    done = segtool_process(
        "predict", model_file, tmp_path / "a.png", "--out", tmp_path / "out", blocked=("torch", "onnx", "accelerate")
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "a.png").exists()
