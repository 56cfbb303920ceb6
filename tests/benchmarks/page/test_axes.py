import math

import pytest

from benchmarks.page.axes import Scale, linear_ticks


def test_scale_linear_halfway_is_halfway() -> None:
    scale = Scale(low=10, high=30, start_px=100, end_px=300)
    assert [scale.at(value) for value in (10, 20, 30)] == [100, 200, 300]


def test_scale_log_equal_ratios_take_equal_room() -> None:
    scale = Scale(low=1, high=100, start_px=0, end_px=200, log=True)
    assert [scale.at(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])


def test_scale_upwards_has_its_end_above() -> None:
    scale = Scale(low=0, high=4, start_px=200, end_px=0)
    assert scale.at(1) == 150


def test_scale_value_outside_stays_at_the_nearer_end() -> None:
    scale = Scale(low=1, high=10, start_px=0, end_px=90, log=True)
    assert [scale.at(value) for value in (0.1, 1000)] == [0, 90]


def test_linear_ticks_are_round_and_within() -> None:
    assert linear_ticks(0, 33.3, 5) == [0, 10, 20, 30]
    assert linear_ticks(152.2, 154.3, 4) == [153, 154]


def test_linear_ticks_of_tiny_numbers_stay_exact() -> None:
    assert linear_ticks(0, 0.3, 4) == [0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize("most", [3, 5, 9])
@pytest.mark.parametrize(("low", "high"), [(13.1, 64.0), (8.2, 8.4), (0.02, 3000), (1.0, 1e9), (16384 / 1.2, 1.3e6)])
def test_scale_log_ticks_are_few_rising_and_within(low: float, high: float, most: int) -> None:
    ticks = Scale(low=low, high=high, start_px=0, end_px=600, log=True).ticks(most)
    assert 1 <= len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert low * (1 - 1e-9) <= ticks[0]
    assert ticks[-1] <= high * (1 + 1e-9)
    assert all(math.isfinite(tick) for tick in ticks)
