import pytest

from benchmarks.page.numbers import moment, ms, per_cent, plain, several, share


@pytest.mark.parametrize(
    ("value", "shown"), [(6.543, "6.54 ms"), (33.3, "33.3 ms"), (838.9, "839 ms"), (12345.6, "12,346 ms"), (None, "-")]
)
def test_ms_has_three_digits_and_its_unit(value: float | None, shown: str) -> None:
    assert ms(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (50, 10_000, "0.5 %"),
        (0, 10_000, "0 %"),
        (1, 100_000, "0.001 %"),
        (1, 10_000_000, "less than 0.0001 %"),
        (1, 3, "33.3 %"),
        (0, 0, "0 %"),
    ],
)
def test_share_above_nothing_never_reads_as_nothing(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


def test_plain_groups_thousands_and_keeps_decimals() -> None:
    assert plain(1234.5) == "1,234.50"
    assert plain(None) == "-"


def test_per_cent_has_one_decimal() -> None:
    assert per_cent(0.08) == "8.0 %"


@pytest.mark.parametrize(("value", "shown"), [(0, "0 misses"), (1, "1 miss"), (2000, "2,000 misses")])
def test_several_agrees_with_its_count(value: int, shown: str) -> None:
    assert several(value, "miss", "misses") == shown


def test_moment_is_told_to_the_minute() -> None:
    assert moment("2026-11-23T04:20:31+00:00") == "2026-11-23 04:20 UTC"
