"""What can't be written is known before the work; what can leaves no trace of having been asked."""

import pytest

from runtime.errors import StorageError
from segtool.__main__ import run
from segtool.places import require_writable


def test_require_writable_of_new_folders_makes_none(tmp_path):
    require_writable(None, tmp_path / "a" / "b" / "c.json", tmp_path / "d.json")
    assert list(tmp_path.iterdir()) == []


def test_require_writable_over_an_old_file_leaves_it_alone(tmp_path):
    (tmp_path / "old.json").write_text("old")
    require_writable(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "old"


def test_require_writable_refuses_a_folder(tmp_path):
    with pytest.raises(StorageError, match=f"{tmp_path}: a file was to be written there, got a folder"):
        require_writable(tmp_path)


def test_require_writable_below_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match=r"x\.json: .*got Not a directory at .*file"):
        require_writable(tmp_path / "file" / "deep" / "x.json")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "{model}", "--html", "{model}"],
        ["bench", "{model}", "--json", "{new}", "--html", "{new}"],
        ["eval", "{model}", "{pairs}", "--json", "{model}"],
        ["selftest", "{model}", "--json", "{model}"],
        ["stream", "{model}", "--source", "{pairs}", "--json", "{model}"],
        ["compare", "{model}", "{model}", "{pairs}", "--json", "{model}"],
    ],
)
def test_commands_never_write_over_what_they_read_or_twice_to_one_place(
    model_file, pairs_folder, tmp_path, capsys, arguments
):
    before = model_file.read_bytes()
    places = {"model": model_file, "pairs": pairs_folder, "new": tmp_path / "new"}
    assert run([word.format(**places) for word in arguments]) == 2
    assert "expected a file of its own for what is written" in capsys.readouterr().err
    assert model_file.read_bytes() == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "{model}", "--json", "{place}"],
        ["bench", "{model}", "--html", "{place}"],
        ["bench", "{model}", "--save", "{place}"],
        ["eval", "{model}", "{pairs}", "--json", "{place}"],
        ["eval", "{model}", "{pairs}", "--confusion", "{place}.png"],
        ["selftest", "{model}", "--json", "{place}"],
        ["stream", "{model}", "--source", "{pairs}", "--json", "{place}"],
        ["stream", "{model}", "--source", "{pairs}", "--out", "{place}"],
        ["stream", "{model}", "--source", "{pairs}", "--video", "{place}.mp4"],
        ["compare", "{model}", "{model}", "{pairs}", "--json", "{place}"],
        ["compare", "{model}", "{model}", "{pairs}", "--out", "{place}"],
    ],
)
def test_commands_find_a_wrong_place_before_they_open_the_engine(
    model_file, pairs_folder, tmp_path, monkeypatch, capsys, arguments
):
    (tmp_path / "file").write_text("no folder")
    for where in ("runtime.segmenter", "segtool.replay.job", "benchmarks.order", "benchmarks.approval.sides"):
        monkeypatch.setattr(f"{where}.Segmenter", None)  # whoever opens it fails with another code
    places = {"model": model_file, "pairs": pairs_folder, "place": tmp_path / "file" / "x"}
    assert run([word.format(**places) for word in arguments]) == 6
    assert "Not a directory" in capsys.readouterr().err
