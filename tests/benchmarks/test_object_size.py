import numpy as np
import pytest
from scipy import ndimage

from benchmarks.object_size import (
    FALSE,
    HIT,
    MISSED,
    OBJECTS,
    SIZE_LIMITS,
    SIZE_NAMES,
    connected_regions,
    count_by_size,
    scores_by_size,
)
from runtime.errors import DataError, UsageError
from runtime.metrics import confusion_matrix

SMALL, MEDIUM, LARGE = range(3)


def blobs(seed: int, classes: int, height: int = 40, width: int = 60) -> np.ndarray:
    """Noise smoothed into regions of many sizes and shapes."""
    noise = np.random.default_rng(seed).normal(size=(classes, height, width))
    return ndimage.gaussian_filter(noise, (0, 1.5, 1.5)).argmax(0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_connected_regions_are_those_of_scipy(seed: int) -> None:
    labels = blobs(seed, 3)
    regions = connected_regions(labels)
    total = 0
    for label in range(3):
        expected, count = ndimage.label(labels == label, structure=np.ones((3, 3)))
        pairs = np.unique(np.stack([expected[labels == label], regions[labels == label]]), axis=1)
        assert pairs.shape[1] == count == len(set(pairs[0])) == len(set(pairs[1]))
        total += count
    assert sorted(np.unique(regions)) == list(range(total))


def test_connected_regions_spiral_and_noise_are_those_of_scipy() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (64, 64))
    spiral = np.zeros((9, 9), int)
    spiral[0], spiral[:, 8], spiral[8], spiral[2:, 0], spiral[2, :7], spiral[2:7, 6] = 1, 1, 1, 1, 1, 1
    for labels in (noise, spiral):
        counts = [ndimage.label(labels == label, structure=np.ones((3, 3)))[1] for label in (0, 1)]
        assert connected_regions(labels).max() + 1 == sum(counts)


def test_connected_regions_corner_to_corner_is_connected() -> None:
    # both diagonals run through: two regions
    assert connected_regions(np.eye(4, dtype=np.uint8)).max() == 1
    assert connected_regions(np.eye(4, dtype=np.uint8)[::-1]).max() == 1


def frame_by_hand() -> tuple[np.ndarray, np.ndarray]:
    """60x100: class 1 has a small object of 12 pixels, one of 20 exactly at the limit, and a large one of 300."""
    truth, predicted = np.zeros((2, 60, 100), np.uint8)
    truth[2:5, 2:6] = 1  # 12 px
    predicted[2:5, 2:4] = 1  # 6 of them,
    predicted[5, 2:4] = 1  # and 2 false ones below
    truth[20:24, 2:7] = 1  # 20 px = 6000 / 300: no longer small
    truth[30:40, 50:80] = 1  # 300 px
    predicted[30:40, 50:80] = 1
    predicted[40, 50:60] = 1  # 10 false ones
    predicted[55, 90:95] = 1  # 5 false ones of a small region of its own
    return truth, predicted


def test_count_by_size_case_by_hand() -> None:
    truth, predicted = frame_by_hand()
    counts = count_by_size(truth[None], predicted[None], 2)
    assert counts[SMALL, 1].tolist() == [6, 6, 2 + 5, 1]
    assert counts[MEDIUM, 1].tolist() == [0, 20, 0, 1]
    assert counts[LARGE, 1].tolist() == [300, 0, 10, 1]
    assert counts[LARGE, 0].tolist() == [6000 - 332 - 17, 17, 26, 1]


def test_scores_by_size_case_by_hand() -> None:
    truth, predicted = frame_by_hand()
    result = scores_by_size(count_by_size(truth[None], predicted[None], 3))
    assert result.recall[:, 1].tolist() == [0.5, 0.0, 1.0]
    assert result.iou[:, 1].tolist() == [6 / 19, 0.0, 300 / 310]
    assert result.pixels[:, 1].tolist() == [12, 20, 300]
    assert result.objects[:, 1].tolist() == [1, 1, 1]
    assert np.isnan(result.iou[:, 2]).all()
    assert np.isnan(result.recall[:, 2]).all()


def test_count_by_size_region_over_two_objects_gives_its_false_pixels_to_the_one_it_covers_more_of() -> None:
    truth, predicted = np.zeros((2, 30, 100), np.uint8)
    truth[0, 0:5] = 1  # small: 5 of 3000
    truth[0:10, 10:40] = 1  # large
    predicted[0, 0:14] = 1  # 5 of the small one, 4 of the large one, 5 false between
    counts = count_by_size(truth[None], predicted[None], 2)
    assert counts[:, 1, FALSE].tolist() == [5, 0, 0]
    predicted[0, 14:16] = 1  # now 6 of the large one
    counts = count_by_size(truth[None], predicted[None], 2)
    assert counts[:, 1, FALSE].tolist() == [0, 0, 5]
    assert counts[SMALL, 1, HIT] == 5


@pytest.mark.parametrize("seed", range(3))
def test_count_by_size_sum_over_the_sizes_is_the_confusion_matrix(seed: int) -> None:
    truth, predicted = np.stack([blobs(seed, 4), blobs(seed + 10, 4)]), np.stack([blobs(seed + 20, 4), blobs(seed, 4)])
    truth[:, :5] = 255
    predicted[:, 20:22] = 255
    counts = count_by_size(truth, predicted, 4)
    matrix = confusion_matrix(truth, predicted, 4)
    assert counts.sum(0)[:, HIT].tolist() == np.diag(matrix).tolist()
    assert counts.sum(0)[:, MISSED].tolist() == (matrix.sum(1) - np.diag(matrix)).tolist()
    assert counts.sum(0)[:, FALSE].tolist() == (matrix[:, :4].sum(0) - np.diag(matrix)).tolist()


def test_count_by_size_batches_add_up() -> None:
    truth, predicted = np.stack([blobs(1, 3), blobs(2, 3)]), np.stack([blobs(3, 3), blobs(4, 3)])
    one_by_one = sum(count_by_size(truth[i : i + 1], predicted[i : i + 1], 3) for i in range(2))
    assert np.array_equal(count_by_size(truth, predicted, 3), one_by_one)


def test_count_by_size_limits_are_shares_of_the_frame() -> None:
    truth, predicted = frame_by_hand()
    counts = count_by_size(truth[None], predicted[None], 2)
    larger = np.kron(truth, np.ones((3, 3), np.uint8)), np.kron(predicted, np.ones((3, 3), np.uint8))
    tripled = count_by_size(larger[0][None], larger[1][None], 2)
    assert np.array_equal(tripled[..., :OBJECTS], 9 * counts[..., :OBJECTS])
    assert np.array_equal(tripled[..., OBJECTS], counts[..., OBJECTS])
    assert [limit * 640 * 480 for limit in SIZE_LIMITS] == pytest.approx([32**2, 96**2])
    assert len(SIZE_NAMES) == counts.shape[0]


def test_count_by_size_nothing_counts_where_the_truth_is_ignored() -> None:
    truth = np.full((1, 8, 8), 255, np.uint8)
    assert not count_by_size(truth, np.ones_like(truth), 2).any()


def test_count_by_size_shapes_that_differ_are_refused() -> None:
    with pytest.raises(DataError, match=r"got \(1, 4, 4\) and \(1, 4, 5\)"):
        count_by_size(np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 5), np.uint8), 2)


def test_count_by_size_truth_that_is_no_class_is_refused() -> None:
    with pytest.raises(DataError, match="from 0 to 1 or 255, got 7 on 16 pixels"):
        count_by_size(np.full((1, 4, 4), 7, np.uint8), np.zeros((1, 4, 4), np.uint8), 2)


@pytest.mark.parametrize("limits", [(0.1, 0.1), (0.0,), (0.5, 0.2), (1.5,)])
def test_count_by_size_limits_that_do_not_rise_are_refused(limits: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=str(limits[-1])):
        count_by_size(np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 4), np.uint8), 2, limits)
