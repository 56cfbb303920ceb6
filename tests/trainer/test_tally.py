"""Counts worked out by hand."""

import numpy as np
import pytest

from runtime.errors import DataError
from trainer.tally import Tally


def labels(*rows: list[int]) -> np.ndarray:
    return np.array([rows], np.uint8)


def test_tally_adds_frames_up() -> None:
    tally = Tally(2)
    tally.add(labels([0, 0], [1, 255]), labels([0, 1], [1, 1]))
    tally.add(labels([1, 1], [0, 0]), labels([1, 255], [0, 0]))
    assert tally.confusion.tolist() == [[3, 1, 0], [0, 2, 1]]
    assert tally.frames == 2
    assert tally.scores().pixel_accuracy == 5 / 7


def test_tally_of_a_batch_counts_its_frames_and_those_with_a_255() -> None:
    tally = Tally(2)
    truth = np.zeros((4, 2, 2), np.uint8)
    truth[3] = 255
    predicted = np.zeros_like(truth)
    predicted[1, 0, 0] = predicted[1, 1, 1] = 255  # one frame, two pixels
    predicted[3, 0, 0] = 255  # where nobody knows better
    tally.add(truth, predicted)
    assert (tally.frames, tally.invalid_frames) == (4, 2)
    assert tally.confusion[:, -1].sum() == 2


def test_tally_of_a_truth_that_is_no_class_is_refused() -> None:
    with pytest.raises(DataError, match="expected labels 0 to 1 or 255, got 7"):
        Tally(2).add(labels([7]), labels([0]))
