"""Two tables as models on hand-made frames: every count is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.approval.comparison import compare, label_again
from benchmarks.approval.noise import REPEATS
from benchmarks.approval.verdict import Allowance
from runtime.errors import DataError, SpecError

ROAD, SKY, CAR = 0, 1, 2
STRAY = 100  # a red level on which the two tables may differ


@pytest.fixture(autouse=True)
def _no_noise(monkeypatch):
    """Tables answer by exact levels, which noise moves; how noise is made is tested beside it."""
    monkeypatch.setattr("benchmarks.approval.comparison.with_sensor_noise", lambda image, _: image)


def frames_with_strays(strays, count=10, side=40, truth=CAR, seed=0):
    """Frames of road and sky in random places; on `strays` pixels of each the level is `STRAY`, the truth `truth`."""
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        labels = random.integers(0, 2, (side, side))
        levels = labels.copy()
        places = random.choice(labels.size, strays, replace=False)
        labels.flat[places], levels.flat[places] = truth, STRAY
        frames.append((levels, labels))
    return frames


def test_compare_of_a_model_that_flips_half_a_percent_reads_half_a_percent(table_side, dataset_of):
    sides = (table_side({STRAY: answer}, labels_px=(40, 40)) for answer in (CAR, ROAD))
    compared = compare(*sides, dataset_of(frames_with_strays(8)))  # 8 of 1,600 pixels
    assert 100 * compared.changed.share == pytest.approx(0.5, abs=0.05)
    assert [pair[:2] for pair in compared.changed.pairs()] == [(CAR, ROAD)]


def test_compare_of_a_rare_class_that_fell_while_the_mean_rose_finds_it(table_side, dataset_of):
    frames = frames_with_strays(20, side=30)
    for levels, labels in frames:  # the old model takes a quarter of the sky for road
        sky = np.flatnonzero((labels == SKY) & (levels == SKY))
        levels.flat[sky[: len(sky) // 4]] = 101
        cars = np.flatnonzero(labels == CAR)
        levels.flat[cars[:18]] = CAR  # so nine of ten cars are seen by both
    old = table_side({STRAY: CAR, 101: ROAD}, labels_px=(30, 30))
    new = table_side({STRAY: ROAD, 101: SKY}, labels_px=(30, 30))
    compared = compare(old, new, dataset_of(frames))
    verdict = compared.judged(Allowance(min_pixels=100))
    assert compared.scored.mean_iou.change > 0.02
    assert compared.scored.recall[CAR].change == pytest.approx(-0.1)
    assert [each.state for each in verdict.classes] == ["holds", "holds", "worse"]
    assert verdict.failures[0].startswith("car: IoU fell by 0.1000 (")
    assert compared.judged(Allowance()).failures == ()  # 200 pixels are too few then
    assert "car: 200 pixels in 10 frames are too few" in compared.judged(Allowance()).not_proven[0]


def test_compare_labels_each_frame_once_and_some_again_under_noise(table_side, dataset_of):
    old, new = table_side({}, labels_px=(6, 6)), table_side({}, labels_px=(6, 6), batch=3)
    compared = compare(old, new, dataset_of(frames_with_strays(0, count=20, side=6)))
    for side in (old, new):
        assert side.facts["seen"] == [6, 6, 6, 2] + [REPEATS] * 16  # both batches divide 6
    assert (compared.noise.looked, compared.noise_frames) == (16 * 28 * 36, 16)
    assert compared.names[:2] == ("val/0.png", "val/1.png")
    assert compared.changed.share == 0


def test_compare_of_other_sizes_scores_each_at_its_own_and_both_at_the_smaller(table_side, dataset_of):
    old, new = table_side({STRAY: CAR}, labels_px=(8, 4)), table_side({STRAY: CAR}, labels_px=(4, 8))
    truth = np.zeros((8, 8), int)
    truth[:4, :4] = CAR
    compared = compare(old, new, dataset_of([(np.where(truth == CAR, STRAY, 0), truth)] * 3))
    assert compared.compared_px == (4, 4)
    assert compared.old_counts[0, 1].tolist() == [24, 0, 8]
    assert compared.new_counts[0, 1].tolist() == [24, 0, 8]
    assert compared.changed.pixels == 3 * 16
    assert compared.scored.mean_iou.change == 0
    assert (compared.class_pixels, compared.class_frames) == ([72, 0, 24], [3, 0, 3])


def test_compare_of_a_video_measures_flicker_and_warns_of_its_intervals(table_side, dataset_of):
    (levels, truth), *_ = frames_with_strays(0, count=1)
    levels = 100 * levels  # the scene, and a corner that trembles by two levels
    trembling = levels.copy()
    trembling[:4, :10] += 2
    table = {100: SKY, 102: SKY, 2: ROAD}
    old, new = (table_side(table | more, labels_px=(40, 40)) for more in ({}, {102: CAR, 2: CAR}))
    compared = compare(old, new, dataset_of([(levels, truth), (trembling, truth), (levels, truth)]))
    assert (compared.video.pairs, compared.video.flicker.looked) == (2, 2 * 1600)
    assert (compared.video.flicker.old_flips, compared.video.flicker.new_flips) == (0, 2 * 40)
    assert "frames of a video" in compared.notes[0]


def test_compare_of_other_places_has_no_note_and_no_video(table_side, dataset_of):
    compared = compare(*(table_side({}, labels_px=(40, 40)) for _ in "on"), dataset_of(frames_with_strays(0)))
    assert (compared.video.pairs, compared.notes) == (0, ())


def test_label_again_gives_the_frames_in_the_order_asked_for(table_side, dataset_of):
    old, new = table_side({STRAY: CAR}, labels_px=(6, 6)), table_side({STRAY: SKY}, labels_px=(6, 6))
    dataset = dataset_of(frames_with_strays(3, side=6))
    frames = label_again(old, new, dataset, "val", [7, 2])
    assert [(frame.index, frame.name) for frame in frames] == [(7, "val/7.png"), (2, "val/2.png")]
    assert np.count_nonzero(frames[0].old_hw != frames[0].new_hw) == 3
    assert (frames[1].truth_hw == frames[1].old_hw).all()


def test_compare_of_other_label_spaces_is_refused_by_name(table_side, dataset_of):
    other = replace(table_side({}), where="new.onnx", label_space="four")
    with pytest.raises(SpecError, match=r"new\.onnx: expected the label space 'three' of model\.onnx .*got 'four'"):
        compare(table_side({}), other, dataset_of(frames_with_strays(0)))


def test_compare_of_classes_in_another_order_is_refused(table_side, dataset_of):
    with pytest.raises(SpecError, match="got 'three' with sky, road, car"):
        compare(table_side({}), table_side({}, classes=("sky", "road", "car")), dataset_of(frames_with_strays(0)))


def test_compare_on_data_with_other_classes_is_refused(table_side, dataset_of):
    dataset = dataset_of(frames_with_strays(0), classes=("a", "b", "c"))
    with pytest.raises(SpecError, match=r"DATA: expected the classes road, sky, car of model\.onnx, got a, b, c"):
        compare(table_side({}), table_side({}), dataset)


def test_compare_of_an_absent_split_is_refused(table_side, dataset_of):
    with pytest.raises(DataError, match="no frames in test"):
        compare(table_side({}), table_side({}), dataset_of([]), "test")


def test_compare_without_a_labelled_pixel_is_refused(table_side, dataset_of):
    with pytest.raises(DataError, match="expected labelled pixels in split val, found none"):
        compare(table_side({}), table_side({}), dataset_of([(np.zeros((4, 4)), np.full((4, 4), 255))]))
