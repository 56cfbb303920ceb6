import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from runtime.errors import UsageError
from trainer.data.light import Light, relight


def noise_image(height: int = 40, width: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_relight_default_is_the_same_array() -> None:
    image = noise_image()
    assert relight(image, Light()) is image


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5, 3.0])
def test_relight_brightness_equals_the_product_rounded_and_clipped(factor: float) -> None:
    image = noise_image()
    expected = np.clip(np.rint(image.astype(np.float64) * factor), 0, 255)
    np.testing.assert_array_equal(relight(image, Light(brightness=factor)), expected)


@pytest.mark.parametrize("gamma", [0.5, 1.7, 2.2])
def test_relight_gamma_equals_the_power_and_keeps_black_and_white(gamma: float) -> None:
    image = noise_image()
    expected = np.rint(255 * (image / 255.0) ** gamma)
    np.testing.assert_array_equal(relight(image, Light(gamma=gamma)), expected)
    ends = np.array([[[0, 255, 0]]], np.uint8)
    np.testing.assert_array_equal(relight(ends, Light(gamma=gamma)), ends)


@pytest.mark.parametrize("factor", [0.4, 1.6])
def test_relight_contrast_is_within_a_level_of_pillows(factor: float) -> None:
    # Pillow rounds the mean grey to a whole level and cuts instead of rounding, hence the two levels
    image = noise_image()
    expected = np.array(ImageEnhance.Contrast(Image.fromarray(image)).enhance(factor)).astype(int)
    assert np.abs(relight(image, Light(contrast=factor)).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("factor", [0.01, 0.4, 1.6])
def test_relight_saturation_is_within_a_level_of_pillows(factor: float) -> None:
    image = noise_image()
    expected = np.array(ImageEnhance.Color(Image.fromarray(image)).enhance(factor)).astype(int)
    assert np.abs(relight(image, Light(saturation=factor)).astype(int) - expected).max() <= 1


def test_relight_saturation_turns_colours_towards_grey() -> None:
    lit = relight(np.array([[[200, 40, 40]]], np.uint8), Light(saturation=0.5))[0, 0] / 255.0
    before = colorsys.rgb_to_hsv(200 / 255, 40 / 255, 40 / 255)
    after = colorsys.rgb_to_hsv(*lit)
    assert after[0] == pytest.approx(before[0], abs=0.01)
    assert after[1] < 0.8 * before[1]


def test_relight_blur_of_a_point_has_the_radius_as_its_deviation() -> None:
    image = np.zeros((61, 61, 3), np.uint8)
    image[28:33, 28:33] = 255  # variance of a row of five: 2
    lit = relight(image, Light(blur_px=3.0))[..., 0].astype(float)
    columns = np.arange(61) - 30
    variance = (lit.sum(0) * columns**2).sum() / lit.sum()
    assert np.sqrt(variance - 2) == pytest.approx(3.0, rel=0.1)


def test_relight_noise_has_the_deviation_and_comes_from_the_generator() -> None:
    image = np.full((200, 200, 3), 128, np.uint8)
    lit = relight(image, Light(noise=8.0), np.random.default_rng(3))
    assert (lit.astype(float) - 128).std() == pytest.approx(8.0, rel=0.02)
    assert abs(lit.astype(float).mean() - 128) < 0.2
    np.testing.assert_array_equal(lit, relight(image, Light(noise=8.0), np.random.default_rng(3)))


def test_relight_noise_without_generator_is_refused() -> None:
    with pytest.raises(UsageError, match="noise of 8, got None"):
        relight(noise_image(), Light(noise=8.0))


def test_relight_all_at_once_stays_uint8_and_leaves_the_image_alone() -> None:
    image = noise_image()
    before = image.copy()
    light = Light(brightness=9.0, contrast=5.0, saturation=4.0, gamma=0.3, blur_px=1.0, noise=100.0)
    lit = relight(image, light, np.random.default_rng(0))
    assert lit.dtype == np.uint8
    assert lit.shape == image.shape
    assert lit.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("settings", "got"),
    [
        ({"brightness": 0.0}, "brightness above 0 and finite, got 0"),
        ({"gamma": -1.0}, "gamma above 0 and finite, got -1"),
        ({"contrast": float("nan")}, "contrast above 0 and finite, got nan"),
        ({"saturation": float("inf")}, "saturation above 0 and finite, got inf"),
        ({"blur_px": -0.5}, "blur_px of 0 or more and finite, got -0.5"),
        ({"noise": float("nan")}, "noise of 0 or more and finite, got nan"),
    ],
)
def test_light_impossible_settings_are_refused(settings: dict[str, float], got: str) -> None:
    with pytest.raises(UsageError, match=got):
        Light(**settings)
