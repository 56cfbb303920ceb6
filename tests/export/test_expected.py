"""What a spec comes to expect, against shares counted by hand."""

import numpy as np
import pytest

from export.expected import Expected, expecting
from export.proof.candidate import Answer
from runtime.errors import UsageError


def answer(*labels: int, confidence: tuple[int, ...] | None = None) -> Answer:
    map_hw = np.array([labels], np.uint8)
    return Answer(labels_hw=map_hw, confidence_hw=None if confidence is None else np.array([confidence], np.uint8))


def test_expected_is_the_lowest_and_highest_share_of_each_class() -> None:
    expected = Expected(classes=("road", "sky", "car"))
    for labels in ((0, 0, 0, 1), (0, 1, 1, 1), (0, 0, 255, 255)):
        expected.add(answer(*labels))
    shares = {"road": [0.25, 0.75], "sky": [0.0, 0.75], "car": [0.0, 0.0]}
    assert expected.document() == {"frames": 3, "shares": shares, "unsure": None}


def test_expected_unsure_is_the_highest_share_below_one_half() -> None:
    expected = Expected(classes=("road",))
    expected.add(answer(0, 0, 0, 0, confidence=(128, 127, 0, 255)))
    expected.add(answer(0, 0, 0, 0, confidence=(128, 128, 127, 255)))
    assert expected.document() == {"frames": 2, "shares": {"road": [1.0, 1.0]}, "unsure": 0.5}


def test_expected_of_no_answer_is_refused() -> None:
    with pytest.raises(UsageError, match="expected one answer or more to know what is usual, got none"):
        Expected(classes=("road",)).document()


def test_expecting_shows_each_frame_to_both() -> None:
    expected, seen = Expected(classes=("road", "sky")), []
    watch = expecting(expected, lambda *shown: seen.append(shown))
    got = answer(1, 1)
    watch("frame", "wanted", got)  # type: ignore[arg-type]  # handed through as they are
    assert seen == [("frame", "wanted", got)]
    assert expected.document()["shares"] == {"road": [0.0, 0.0], "sky": [1.0, 1.0]}
