import numpy as np
import pytest
import torch
from scipy import ndimage

from export.proof.pixels import BAND_PX, boundary_band, margins, spread


def scipy_band(labels_hw: np.ndarray, reach_px: int) -> np.ndarray:
    """The same by scipy's chessboard distance to the nearest pixel of another label."""
    band = np.zeros(labels_hw.shape, bool)
    for label in np.unique(labels_hw):
        mine = labels_hw == label
        if not mine.all():
            band |= mine & (ndimage.distance_transform_cdt(mine, metric="chessboard") <= reach_px)
    return band


@pytest.mark.parametrize("shape", [(40, 60), (5, 3), (1, 50), (2, 2)])
@pytest.mark.parametrize("reach_px", [1, BAND_PX])
def test_boundary_band_is_what_scipy_finds(shape: tuple[int, int], reach_px: int) -> None:
    random = np.random.default_rng(3)
    blobs = ndimage.gaussian_filter(random.normal(size=(4, *shape)), (0, 3, 3)).argmax(0).astype(np.uint8)
    blobs[0, 0] = 255
    assert np.array_equal(boundary_band(blobs, reach_px), scipy_band(blobs, reach_px))


def test_boundary_band_of_one_label_is_empty() -> None:
    assert not boundary_band(np.full((9, 9), 255, np.uint8)).any()


def test_margins_are_torchs_top_two_over_the_spread() -> None:
    logits = np.random.default_rng(0).normal(size=(7, 8, 9)).astype(np.float32) * 3 + 50
    best = torch.from_numpy(logits).double().topk(2, dim=0).values
    unit = (torch.from_numpy(logits).double() - torch.from_numpy(logits).double().mean(0)).std(correction=0)
    np.testing.assert_allclose(margins(logits), ((best[0] - best[1]) / unit).numpy(), rtol=1e-6)


def test_margins_do_not_change_with_the_scale_or_the_offset_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 8, 9))
    np.testing.assert_allclose(margins(logits * 1000 + 7), margins(logits), rtol=1e-5)


def test_margins_where_a_logit_is_not_finite_are_nan_and_leave_the_others_alone() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 8, 9))
    broken = logits.copy()
    broken[1, 0, 0], broken[2, 7, 8] = np.nan, np.inf
    found = margins(broken)
    assert np.isnan(found[[0, 7], [0, 8]]).all()
    assert np.isfinite(np.delete(found.ravel(), [0, 71])).all()


def test_margins_of_equal_logits_are_zero_and_of_one_class_infinite() -> None:
    assert (margins(np.zeros((3, 2, 2))) == 0).all()
    assert np.isinf(margins(np.zeros((1, 2, 2)))).all()


def test_spread_without_a_finite_pixel_is_zero() -> None:
    assert spread(np.full((2, 3, 3), np.nan)) == 0


def test_margins_where_logits_are_infinite_say_nothing_aloud() -> None:
    logits = np.zeros((3, 2, 2))
    logits[:, 0, 0], logits[1, 1, 1] = np.inf, -np.inf
    logits[2, 0, 1] = 1
    found = margins(logits)  # warnings are errors here
    assert np.isnan(found[[0, 1], [0, 1]]).all()
    assert found[0, 1] > 0 == found[1, 0]


@pytest.mark.parametrize("broken", [0, 3])
def test_spread_is_the_standard_deviation_of_what_is_finite_around_each_pixels_mean(broken: int) -> None:
    logits = np.random.default_rng(1).normal(size=(5, 6, 7)) * 4 + 1000
    logits[2, 0, :broken] = np.nan
    inside = torch.from_numpy(logits).flatten(1)[:, broken:]
    assert spread(logits) == pytest.approx(float((inside - inside.mean(0)).std(correction=0)), rel=1e-12)
