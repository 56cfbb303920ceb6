import numpy as np
import pytest

from runtime.errors import DataError, UsageError
from runtime.overlay import blend, colourise

PALETTE = [(128, 64, 128), (70, 130, 180), (0, 0, 142)]
LABELS = np.array([[0, 1], [2, 255]], np.uint8)


def test_colourise_paints_each_class_and_no_answer() -> None:
    found = colourise(LABELS, PALETTE, ignore_colour=(1, 2, 3))
    assert found.dtype == np.uint8
    assert found.tolist() == [[[128, 64, 128], [70, 130, 180]], [[0, 0, 142], [1, 2, 3]]]


@pytest.mark.parametrize(("opacity", "expected"), [(0.0, 100), (0.25, 107), (0.5, 114), (1.0, 128)])
def test_blend_mixes_by_opacity_and_rounds(opacity: float, expected: int) -> None:
    found = blend(np.full((1, 1, 3), 100, np.uint8), np.zeros((1, 1), np.uint8), PALETTE, opacity)
    assert found[0, 0, 0] == expected


def test_blend_is_float64_arithmetic_within_half_a_level() -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    labels = generator.integers(0, 3, (30, 40), dtype=np.uint8)
    exact = image * 0.7 + np.array(PALETTE, np.float64)[labels] * 0.3
    assert np.abs(blend(image, labels, PALETTE, 0.3) - exact).max() <= 0.5001


def test_blend_leaves_the_image_where_there_is_no_answer_and_untouched_itself() -> None:
    image = np.full((2, 2, 3), 9, np.uint8)
    assert blend(image, LABELS, PALETTE, 1.0).tolist()[1][1] == [9, 9, 9]
    assert (image == 9).all()


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (np.array([[3]], np.uint8), r"expected 0 to 2 or 255, got 3 \(1 such pixels\)"),
        (np.array([0], np.uint8), r"got uint8 \[1\]"),
        (np.array([[0]]), r"got int64 \[1, 1\]"),
        ([[0]], "got list"),
    ],
)
def test_colourise_of_no_label_map_is_refused(labels, problem: str) -> None:
    with pytest.raises(DataError, match=f"labels: .*{problem}"):
        colourise(labels, PALETTE)


@pytest.mark.parametrize("palette", [[(0, 0, 256)], [(0, 0)], [(0, -1, 0)], [(0, 0, 0)] * 300])
def test_colourise_palette_of_no_colours_is_refused(palette) -> None:
    with pytest.raises(UsageError, match=r"palette: expected at most 255 RGB colours of 0 to 255, got \("):
        colourise(np.zeros((1, 1), np.uint8), palette)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((2, 3, 3), np.uint8), r"got uint8 \[2, 3, 3\]"),
        (np.zeros((2, 2, 3)), r"got float64 \[2, 2, 3\]"),
        (np.zeros((2, 2), np.uint8), r"got uint8 \[2, 2\]"),
        (None, "got NoneType"),
    ],
)
def test_blend_image_of_another_size_is_refused(image, problem: str) -> None:
    with pytest.raises(DataError, match=rf"image: expected uint8 \[2, 2, 3\] .*{problem}"):
        blend(image, LABELS, PALETTE)


@pytest.mark.parametrize("opacity", [-0.1, 1.5, float("nan")])
def test_blend_opacity_out_of_range_is_refused(opacity: float) -> None:
    with pytest.raises(UsageError, match=f"opacity: expected 0 to 1, got {opacity}"):
        blend(np.zeros((2, 2, 3), np.uint8), LABELS, PALETTE, opacity)
