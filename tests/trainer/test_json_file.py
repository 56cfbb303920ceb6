import json

import pytest

from trainer.json_file import write_json


def test_write_json_keeps_names_readable(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"name": "größe", "numbers": [1, 0.5, None]})
    text = (tmp_path / "new" / "a.json").read_text(encoding="utf-8")
    assert "größe" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "größe", "numbers": [1, 0.5, None]}


def test_write_json_of_nan_is_refused_and_keeps_the_old_file(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("old")
    with pytest.raises(ValueError, match="nan"):
        write_json(file, {"mean": float("nan")})
    assert file.read_text() == "old"


def test_write_json_name_that_is_no_utf8_survives(tmp_path):
    write_json(tmp_path / "a.json", {"name": "\udcff.txt"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "\udcff.txt"}
