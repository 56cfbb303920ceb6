import math

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score, recall_score
from torchmetrics.classification import MulticlassJaccardIndex

from export.proof.measure import Comparison, Measured, Share
from export.proof.pixels import boundary_band
from runtime.errors import DataError, UsageError

CLASSES = 4
NEAR_TIE = 0.1


def scene(seed: int) -> dict[str, np.ndarray]:
    """Truth, reference, candidate and margins of one frame; 255 in the truth and, once, in each answer."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.repeat(random.integers(0, CLASSES, (6, 8)), 6, 0), 6, 1).astype(np.uint8)
    reference = np.where(random.random(truth.shape) < 0.1, random.integers(0, CLASSES, truth.shape), truth)
    candidate = np.where(random.random(truth.shape) < 0.05, random.integers(0, CLASSES, truth.shape), reference)
    truth[:3] = 255
    reference, candidate = reference.astype(np.uint8), candidate.astype(np.uint8)
    reference[10, 10] = candidate[10, 10] = candidate[20, 20] = 255
    return {"truth": truth, "reference": reference, "candidate": candidate, "margin": random.random(truth.shape)}


SCENES = [scene(seed) for seed in range(5)]


def compared(scenes: list[dict[str, np.ndarray]], *, truth: bool = True) -> Measured:
    comparison = Comparison(class_count=CLASSES, near_tie=NEAR_TIE)
    for index, s in enumerate(scenes):
        comparison.add(str(index), s["truth"] if truth else None, s["reference"], s["candidate"], s["margin"])
    return comparison.result()


def stacked(name: str) -> np.ndarray:
    return np.concatenate([s[name].ravel() for s in SCENES])


def test_comparison_agreement_is_a_plain_count_for_each_kind_of_pixel() -> None:
    found = compared(SCENES)
    equal, margin = stacked("reference") == stacked("candidate"), stacked("margin")
    band = np.concatenate([boundary_band(s["reference"]).ravel() for s in SCENES])
    kinds = {"everywhere": margin >= 0, "confident": margin >= NEAR_TIE, "near_ties": margin < NEAR_TIE}
    for name, chosen in {**kinds, "boundary": band, "elsewhere": ~band}.items():
        assert getattr(found, name) == Share(equal=int(equal[chosen].sum()), pixels=int(chosen.sum()))
    assert found.frames == 5
    assert [frame.agreement for frame in found.by_frame] == [
        pytest.approx((s["reference"] == s["candidate"]).mean()) for s in SCENES
    ]


def test_comparison_iou_and_recall_are_sklearns_and_torchmetrics() -> None:
    found = compared(SCENES).truth
    truth = stacked("truth")
    valid = truth != 255
    for answer, scores in (("reference", found.reference), ("candidate", found.candidate)):
        said = stacked(answer)[valid]
        labels = list(range(CLASSES))
        np.testing.assert_allclose(scores.iou, jaccard_score(truth[valid], said, labels=labels, average=None))
        np.testing.assert_allclose(
            scores.accuracy, recall_score(truth[valid], said, labels=labels, average=None, zero_division=0)
        )
    metric = MulticlassJaccardIndex(CLASSES, average=None, ignore_index=255)
    clean = valid & (stacked("reference") != 255) & (stacked("candidate") != 255)
    expected = metric(
        torch.from_numpy(stacked("candidate")[clean].astype(int)), torch.from_numpy(truth[clean].astype(int))
    )
    np.testing.assert_allclose(found.candidate.iou, expected.numpy(), atol=0.002)  # five pixels of 255 aside


def test_comparison_likeness_is_the_candidates_iou_with_the_references_labels() -> None:
    found = compared(SCENES, truth=False)
    assert found.truth is None
    reference, candidate = stacked("reference"), stacked("candidate")
    valid = reference != 255
    expected = jaccard_score(reference[valid], candidate[valid], labels=list(range(CLASSES)), average=None)
    np.testing.assert_allclose(found.likeness.candidate.iou, expected)
    assert (found.likeness.reference.iou == 1).all()


def test_comparison_counts_what_has_no_answer_apart() -> None:
    found = compared(SCENES)
    assert (found.lost_pixels, found.reference_invalid_pixels) == (5, 5)


def test_comparison_counts_pixels_frames_and_changes_of_each_class() -> None:
    found = compared(SCENES).truth
    truth, changed = stacked("truth"), stacked("reference") != stacked("candidate")
    assert found.class_pixels.tolist() == [int((truth == label).sum()) for label in range(CLASSES)]
    assert found.class_frames.tolist() == [sum((s["truth"] == label).any() for s in SCENES) for label in range(CLASSES)]
    assert found.changed_pixels.tolist() == [int(changed[truth == label].sum()) for label in range(CLASSES)]


def test_comparison_margin_that_is_nan_is_a_near_tie() -> None:
    s = {**SCENES[0], "margin": np.full_like(SCENES[0]["margin"], np.nan)}
    found = compared([s])
    assert found.confident == Share()
    assert math.isnan(found.confident.agreement)


def test_comparison_takes_float16_margins_and_frames_with_and_without_a_truth() -> None:
    comparison = Comparison(class_count=CLASSES, near_tie=NEAR_TIE)
    s = SCENES[0]
    comparison.add("a", s["truth"], s["reference"], s["candidate"], s["margin"].astype(np.float16))
    comparison.add("b", None, s["reference"], s["candidate"], s["margin"].astype(np.float16))
    found = comparison.result()
    assert (found.frames, found.truth.frames, found.likeness.frames) == (2, 1, 2)


@pytest.mark.parametrize("what", ["candidate", "margins", "truth"])
def test_comparison_of_another_shape_is_refused_by_name(what: str) -> None:
    s = {**SCENES[0], "margins": SCENES[0]["margin"]}
    s[what] = s[what][:7]
    comparison = Comparison(class_count=CLASSES, near_tie=NEAR_TIE)
    with pytest.raises(DataError, match=rf"val/3: expected the {what} .* got \[7, 48\]"):
        comparison.add("val/3", s["truth"], s["reference"], s["candidate"], s["margins"])


def test_comparison_label_that_is_no_class_is_refused() -> None:
    s = SCENES[0]
    comparison = Comparison(class_count=2, near_tie=NEAR_TIE)
    with pytest.raises(DataError, match=r"expected labels 0 to 1 or 255, got [23]"):
        comparison.add("a", None, s["reference"], s["candidate"], s["margin"])


def test_comparison_without_a_frame_has_no_result() -> None:
    with pytest.raises(UsageError, match="one frame or more"):
        Comparison(class_count=2, near_tie=NEAR_TIE).result()


def test_comparison_truth_that_is_ignored_everywhere_is_none() -> None:
    s = SCENES[0]
    comparison = Comparison(class_count=CLASSES, near_tie=NEAR_TIE)
    comparison.add("a", np.full_like(s["reference"], 255), s["reference"], s["candidate"], s["margin"])
    assert comparison.result().truth is None
    comparison.add("b", s["truth"], s["reference"], s["candidate"], s["margin"])
    assert comparison.result().truth.frames == 1
