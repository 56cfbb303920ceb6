from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.approval.verdict import Allowance
from benchmarks.approval.worst import worst_frames


def compared(old_right, new_right, truth):
    """What `worst_frames` reads of a comparison: right pixels of both and the truth, [F, C] each."""
    old, new = (np.stack([right, truth, truth], axis=1) for right in (old_right, new_right))
    truth = np.asarray(truth)
    return SimpleNamespace(
        old_counts=old,
        new_counts=new,
        names=tuple(f"val/{index}.png" for index in range(len(truth))),
        classes=("road", "human", "sign"),
        class_pixels=truth.sum(axis=0).tolist(),
        class_frames=np.count_nonzero(truth, axis=0).tolist(),
    )


TRUTH = [[900, 50, 3], [900, 50, 3], [900, 0, 3], [900, 50, 3]]
ALLOWED = Allowance(min_pixels=100, min_frames=2)


def test_worst_frames_counts_a_lost_pedestrian_above_a_strip_of_road() -> None:
    new = [[700, 50, 3], [900, 20, 3], [900, 0, 3], [900, 50, 3]]
    worst = worst_frames(compared(TRUTH, new, TRUTH), ALLOWED, 5)
    assert [(each.index, each.name, each.class_name) for each in worst] == [
        (1, "val/1.png", "human"),
        (0, "val/0.png", "road"),
    ]
    assert worst[0].class_loss == pytest.approx(30 / 150)
    assert worst[0].loss == pytest.approx(30 / 150 / 2)  # of two classes that have pixels enough
    assert worst[1].class_loss == pytest.approx(200 / 3600)


def test_worst_frames_set_no_gain_against_a_loss() -> None:
    old = [[100, 50, 3], [900, 50, 3], [900, 0, 3], [900, 50, 3]]
    new = [[900, 40, 3], *TRUTH[1:]]  # more road is right than ever, and ten pixels of a human are lost
    (worst,) = worst_frames(compared(old, new, TRUTH), ALLOWED, 5)
    assert (worst.index, worst.class_name, worst.loss) == (0, "human", pytest.approx(10 / 150 / 2))


def test_worst_frames_where_nothing_was_gained_add_up_to_the_fall_of_the_mean_recall() -> None:
    new = [[700, 50, 3], [900, 20, 3], [890, 0, 3], [900, 10, 3]]
    worst = worst_frames(compared(TRUTH, new, TRUTH), ALLOWED, 9)
    assert sum(each.loss for each in worst) == pytest.approx((210 / 3600 + 70 / 150) / 2)


def test_worst_frames_leaves_out_classes_with_too_few_pixels_unless_there_is_no_other() -> None:
    new = [[890, 50, 0], [900, 50, 3], [900, 0, 3], [900, 50, 3]]
    assert worst_frames(compared(TRUTH, new, TRUTH), ALLOWED, 5)[0].class_name == "road"
    worst = worst_frames(compared(TRUTH, new, TRUTH), Allowance(), 5)
    assert (worst[0].class_name, worst[0].class_loss) == ("sign", 0.25)


def test_worst_frames_are_at_most_as_many_as_asked_and_none_where_nothing_was_lost() -> None:
    new = [[800, 50, 3]] * 4
    assert len(worst_frames(compared(TRUTH, new, TRUTH), ALLOWED, 2)) == 2
    assert worst_frames(compared(TRUTH, TRUTH, TRUTH), ALLOWED, 2) == []
