import pytest

from trainer.beginning import start_line


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ({"source": "a/best.safetensors", "taken": 7, "anew": []}, "started from a/best.safetensors: 7 tensors taken"),
        (
            {"source": "a/best.safetensors", "taken": 5, "anew": ["head.weight", "head.bias"]},
            "started from a/best.safetensors: 5 tensors taken; made anew: head.weight, head.bias",
        ),
        (
            {"source": "imagenet", "file": "r.pth", "taken": 1, "anew": [f"up.{number}" for number in range(10)]},
            "started from r.pth: 1 tensors taken; made anew: up.0, up.1, up.2, up.3, up.4, up.5, up.6, up.7 and 2 more",
        ),
    ],
)
def test_start_line_names_what_is_made_anew(source: dict, line: str) -> None:
    assert start_line(source) == line
