"""Power laws that are known, and scipy for the error of one that is not exact."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.scenarios.growth import growth_of, growth_rows, power_law

SIDES = (128, 256, 512, 1024)


def point(side_px: int, exponent: float, **changes: object) -> dict[str, object]:
    return {
        "network": "unet 16",
        "precision": "fp32",
        "threads": 1,
        "provider": "cpu",
        "width_px": side_px,
        "height_px": side_px,
        "batch": 1,
        "median_ms": 1e-3 * (side_px * side_px) ** exponent,
        "largest_activation_mb": 64 * side_px * side_px / 1e6,
        "peak_memory_mb": 30 + 2.5 * 64 * side_px * side_px / 1e6,  # weights and library, and 2.5 times the activation
    } | changes


@pytest.mark.parametrize("exponent", [0.9, 1.0, 1.2])
def test_power_law_of_exact_points_is_found(exponent: float) -> None:
    pixels = np.array(SIDES, float) ** 2
    found, error = power_law(pixels, 0.3 * pixels**exponent)
    assert found == pytest.approx(exponent)
    assert error == pytest.approx(0, abs=1e-9)


def test_power_law_of_noisy_points_is_that_of_scipy() -> None:
    pixels = np.array(SIDES, float) ** 2
    times_ms = 0.02 * pixels**1.05 * np.exp(np.random.default_rng(0).normal(0, 0.1, len(pixels)))
    expected = stats.linregress(np.log(pixels), np.log(times_ms))
    found, error = power_law(pixels, times_ms)
    assert (found, error) == pytest.approx((expected.slope, expected.stderr))


def test_growth_is_told_apart_by_precision_and_threads_and_tells_its_range() -> None:
    results = [
        shown
        for side in SIDES
        for shown in (point(side, 1.0), point(side, 1.1, precision="int8"), point(side, 0.9, threads=2))
    ]
    one, int8, two = growth_of(results)
    assert (one["of"], one["exponent"]) == ("unet 16 fp32, 1 thread, cpu", pytest.approx(1.0))
    assert (int8["of"], int8["exponent"]) == ("unet 16 int8, 1 thread, cpu", pytest.approx(1.1))
    assert (two["of"], two["exponent"]) == ("unet 16 fp32, 2 threads, cpu", pytest.approx(0.9))
    assert (one["from_px"], one["to_px"], one["points"]) == (16_384, 1_048_576, 4)
    assert growth_rows(int8)[0][1].startswith("exponent 1.100 ± 0.000, 4 sizes")


def test_growth_of_memory_leaves_out_what_is_the_same_at_each_size() -> None:
    (growth,) = growth_of([point(side, 1.0) for side in SIDES])
    assert growth["memory_per_activation"] == pytest.approx(2.5)
    assert growth_rows(growth)[1] == ("memory", "2.50 MB for each MB of the largest activation")


def test_growth_without_memory_leaves_that_out() -> None:
    (growth,) = growth_of([point(side, 1.0, peak_memory_mb=None) for side in SIDES])
    assert growth["memory_per_activation"] is None
    assert len(growth_rows(growth)) == 1


def test_growth_of_two_sizes_has_no_error_and_of_one_is_none() -> None:
    (growth,) = growth_of([point(128, 1.3), point(256, 1.3)])
    assert (growth["exponent"], growth["error"]) == (pytest.approx(1.3), None)
    assert growth_of([point(128, 1.3), point(128, 1.3)]) == []
