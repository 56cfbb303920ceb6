import pytest

from benchmarks.approval.differences import Difference, Differences
from benchmarks.approval.verdict import Allowance, judge
from runtime.errors import UsageError

NAN = float("nan")


def moved(change: float, low: float, high: float) -> Difference:
    return Difference(old=0.7, new=0.7 + change, change=change, low=low, high=high)


STEADY = moved(0.0, -0.001, 0.001)


def judged(iou=STEADY, recall=STEADY, mean=STEADY, pixels=5000, frames=50, **allowed):
    scored = Differences(iou=(STEADY, iou), recall=(STEADY, recall), mean_iou=mean)
    return judge(scored, ("road", "human"), (9000, pixels), (90, frames), Allowance(**allowed))


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (moved(-0.005, -0.0099, 0.0), "holds"),
        (moved(0.03, 0.01, 0.05), "holds"),
        (moved(-0.005, -0.011, 0.001), "not proven"),  # may be more than allowed
        (moved(0.01, -0.02, 0.04), "not proven"),
        (moved(-0.03, -0.07, 0.01), "not proven"),  # may be nothing
        (moved(-0.009, -0.015, -0.003), "not proven"),  # fell for sure, but perhaps no more than allowed
        (moved(-0.03, -0.05, -0.001), "worse"),
        (moved(-0.0101, -0.02, -0.0001), "worse"),
        (moved(-0.03, NAN, NAN), "not proven"),
        (moved(NAN, NAN, NAN), "not proven"),
    ],
)
@pytest.mark.parametrize("score", ["iou", "recall"])
def test_judge_of_a_change_says_what_its_interval_allows(score, change, state) -> None:
    verdict = judged(**{score: change})
    assert getattr(verdict.classes[1], score) == state
    assert [each.state for each in verdict.classes] == ["holds", state]
    assert bool(verdict.failures) == (state == "worse")
    assert bool(verdict.not_proven) == (state == "not proven")


def test_judge_of_a_class_that_fell_names_it_and_by_how_much() -> None:
    verdict = judged(recall=moved(-0.03, -0.05, -0.02))
    assert verdict.failures == ("human: recall fell by 0.0300 (95 %: 0.0200 to 0.0500), at most 0.01 is allowed",)
    assert verdict.line == "worse than allowed: human"


@pytest.mark.parametrize(("pixels", "frames"), [(999, 50), (5000, 9)])
def test_judge_of_a_class_with_too_few_pixels_or_frames_proves_nothing_whatever_its_scores(pixels, frames) -> None:
    for iou in (STEADY, moved(-0.5, -0.5, -0.5)):
        verdict = judged(iou=iou, pixels=pixels, frames=frames)
        assert (verdict.classes[1].state, verdict.failures) == ("not proven", ())
        assert (
            f"human: {pixels:,} pixels in {frames} frames are too few, 1,000 and 10 are needed" in verdict.not_proven[0]
        )
        assert f"{iou.change:+.4f}" in verdict.not_proven[0]
    assert verdict.line == "nothing is shown to be worse than allowed; not proven: human"


def test_judge_with_a_moved_allowance_follows_it() -> None:
    fallen = moved(-0.03, -0.05, -0.02)
    assert judged(iou=fallen, max_drop=0.05).line == "every class holds"
    assert judged(pixels=10, frames=2, min_pixels=10, min_frames=2).line == "every class holds"


def test_judge_of_an_absent_class_says_so() -> None:
    absent = moved(NAN, NAN, NAN)
    assert judged(iou=absent, recall=absent, pixels=0, frames=0).not_proven == ("human: is on none of the frames",)


def test_judge_of_a_mean_that_fell_fails_though_each_class_may_be_chance() -> None:
    verdict = judged(iou=moved(-0.04, -0.09, 0.01), mean=moved(-0.02, -0.03, -0.01))
    assert verdict.failures == ("the mean: IoU fell by 0.0200 (95 %: 0.0100 to 0.0300), at most 0.01 is allowed",)
    assert verdict.line == "worse than allowed: the mean; not proven: human"


def test_judge_of_one_frame_says_that_it_is_too_few() -> None:
    verdict = judged(mean=moved(-0.02, NAN, NAN))
    assert verdict.not_proven == ("the mean: IoU changed by -0.0200 on frames too few to say how sure that is",)


@pytest.mark.parametrize("facts", [{"max_drop": -0.1}, {"max_drop": NAN}, {"max_drop": 1.5}])
def test_allowance_of_no_share_is_refused(facts) -> None:
    with pytest.raises(UsageError, match=f"a fall of 0 to 1, got {facts['max_drop']}"):
        Allowance(**facts)


@pytest.mark.parametrize("facts", [{"min_pixels": 0}, {"min_frames": -3}])
def test_allowance_of_a_class_that_is_nowhere_is_refused(facts) -> None:
    with pytest.raises(UsageError, match=f"expected 1 or more, got .*{next(iter(facts.values()))}"):
        Allowance(**facts)
