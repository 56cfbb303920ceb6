"""What a Segmenter is ordered with; the start itself is tested as a Segmenter's."""

from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.segmenter import Segmenter


@pytest.mark.parametrize(
    ("name", "value"), [("options", {"threads": 1}), ("allow_cpu", None), ("allow_cpu", 1), ("self_test", "no")]
)
def test_segmenter_argument_of_another_kind_is_refused(tiny_model_path: Path, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected .*, got (dict|{value!r})"):
        Segmenter(tiny_model_path, "cpu", **{name: value})
