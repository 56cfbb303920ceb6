import math

import numpy as np

from benchmarks.approval.flicker import Flicker, VideoFlicker, stands_still

SIZE = 64


def scene(seed: int = 0) -> np.ndarray:
    """A picture of blocks of eight pixels, as street scenes have large things of one brightness."""
    grey = np.random.default_rng(seed).integers(30, 220, (SIZE // 8, SIZE // 8)).repeat(8, 0).repeat(8, 1)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def labels(value: int = 0) -> np.ndarray:
    return np.full((SIZE, SIZE), value, np.uint8)


def flipped(rows: int) -> np.ndarray:
    changed = labels()
    changed[:rows] = 1
    return changed


def test_video_flicker_of_a_scene_that_stands_still_counts_each_models_flips() -> None:
    video = VideoFlicker()
    for old_rows, new_rows in ((0, 0), (4, 0), (4, 8)):
        video.add(scene(), labels(), flipped(old_rows), flipped(new_rows))
    assert (video.pairs, video.pixels) == (2, 2 * SIZE * SIZE)
    assert video.flicker == Flicker(looked=2 * SIZE * SIZE, old_flips=4 * SIZE, new_flips=8 * SIZE)
    assert video.flicker.old_rate == 4 / (2 * SIZE)
    assert video.flicker.new_rate == 8 / (2 * SIZE)


def test_video_flicker_leaves_out_what_moves_and_a_margin_around_it() -> None:
    moved = scene()
    moved[:16, :16] = 255 - moved[:16, :16] // 2  # one corner is another thing now
    video = VideoFlicker()
    video.add(scene(), labels(), labels(), labels())
    video.add(moved, labels(), flipped(16), labels())
    assert SIZE * SIZE - 24 * 24 <= video.flicker.looked <= SIZE * SIZE - 16 * 16
    assert 16 * (SIZE - 24) <= video.flicker.old_flips <= 16 * (SIZE - 16)


def test_video_flicker_leaves_out_pixels_whose_truth_moved() -> None:
    video = VideoFlicker()
    video.add(scene(), labels(), labels(), labels())
    video.add(scene(), flipped(10), flipped(10), labels())
    assert video.flicker == Flicker(looked=(SIZE - 10) * SIZE)


def test_video_flicker_of_other_places_has_no_pair() -> None:
    video = VideoFlicker()
    for seed in range(4):
        video.add(scene(seed), labels(), labels(seed), labels(seed))
    assert (video.pairs, video.flicker) == (0, Flicker())
    assert math.isnan(video.flicker.new_rate)


def test_video_flicker_of_black_frames_has_no_pair() -> None:
    video = VideoFlicker()
    for value in (0, 1):
        video.add(np.zeros((SIZE, SIZE, 3), np.uint8), labels(), labels(value), labels())
    assert video.pairs == 0


def test_video_flicker_of_a_larger_picture_is_at_the_labels_size() -> None:
    video = VideoFlicker()
    for _ in range(2):
        video.add(scene().repeat(2, 0).repeat(2, 1), labels(), labels(), labels())
    assert video.flicker.looked == SIZE * SIZE


def test_stands_still_allows_four_levels_and_reaches_two_pixels_around() -> None:
    before = np.full((9, 9), 100, np.int16)
    now = before + 4
    assert stands_still(before, now).all()
    now[4, 4] = 95
    expected = np.ones((9, 9), bool)
    expected[2:7, 2:7] = False
    assert (stands_still(before, now) == expected).all()
