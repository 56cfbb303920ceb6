import math

import numpy as np

from export.proof.confidence import ConfidenceError
from export.proof.gates import GATES

EXPECTED = np.array([[254.6, 128.4, 100.0, 50.0, 0.0]])
LABELS = np.array([[1, 2, 3, 0, 255]], np.uint8)


def compared(confidence: list[int], labels: np.ndarray = LABELS) -> ConfidenceError:
    return ConfidenceError().plus(EXPECTED, np.array([confidence], np.uint8), LABELS, labels)


def test_confidence_error_of_the_rounded_reference_is_zero() -> None:
    found = compared([255, 128, 100, 50, 0])
    assert (found.pixels, found.over_one, found.largest, found.mean) == (4, 0, 0, 0.0)
    assert found.failures(GATES["fp32"]) == ()


def test_confidence_error_counts_what_is_off_by_more_than_one() -> None:
    found = compared([255, 129, 90, 50, 0]).plus(EXPECTED, np.array([[255, 128, 100, 50, 0]], np.uint8), LABELS, LABELS)
    assert (found.pixels, found.over_one, found.largest, found.mean) == (8, 1, 10, 11 / 8)
    assert found.failures(GATES["fp32"]) == ("confidence is off by 1.375 of 255 in the mean, at most 0.01 is allowed",)
    assert found.failures(GATES["int8"]) == ()


def test_confidence_error_confidence_without_an_answer_fails() -> None:
    found = compared([255, 128, 100, 50, 7])
    assert found.failures(GATES["int8"]) == ("1 pixels without an answer (255) have a confidence over 0",)


def test_confidence_error_leaves_out_what_either_has_no_answer_for() -> None:
    lost = LABELS.copy()
    lost[0, 0] = 255
    found = compared([0, 128, 100, 50, 0], lost)
    assert (found.pixels, found.largest) == (3, 0)
    assert math.isnan(ConfidenceError().mean)
