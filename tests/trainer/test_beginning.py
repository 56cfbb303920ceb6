from pathlib import Path

import pytest

from trainer.beginning import start_line, unmatched_line
from trainer.data.dataset import open_dataset


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            {"source": "a/best.safetensors", "taken": 7, "anew": []},
            "started from a/best.safetensors: 7 of 7 tensors taken",
        ),
        (
            {"source": "a/best.safetensors", "taken": 5, "anew": ["head.weight", "head.bias"]},
            "started from a/best.safetensors: 5 of 7 tensors taken; made anew: head.weight, head.bias",
        ),
        (
            {"source": "imagenet", "file": "r.pth", "taken": 1, "anew": [f"u{number}" for number in range(10)]},
            "started from r.pth: 1 of 11 tensors taken; made anew: u0, u1, u2, u3, u4, u5, u6, u7 and 2 more",
        ),
    ],
)
def test_start_line_names_what_is_made_anew(source: dict, line: str) -> None:
    assert start_line(source) == line


def test_unmatched_line_names_the_first_and_counts_all(camvid_folder: Path) -> None:
    assert unmatched_line(open_dataset(camvid_folder)) is None
    (camvid_folder / "trainannot" / "2.png").unlink()
    (camvid_folder / "val" / "9.png").write_bytes((camvid_folder / "val" / "1.png").read_bytes())
    line = unmatched_line(open_dataset(camvid_folder))
    assert line is not None
    assert line.startswith("2 photos or masks without the other are left out, such as train/2.png (train); ")
