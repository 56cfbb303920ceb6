"""Contrast by WCAG 2.2's formula: text at least 4.5 to 1, what is drawn at least 3 to 1, light, dark and on paper."""

import re

import pytest

from benchmarks.page.style import STYLE

TEXT, DRAWN = ("ink", "faint", "good", "bad"), ("main", "miss", "s0", "s1", "s2", "s3", "s4", "s5")
LIGHT, DARK, PAPER = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]+);", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    ]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("colours", [LIGHT, DARK, PAPER], ids=["light", "dark", "paper"])
def test_style_contrast_suffices(colours: dict[str, str]) -> None:
    assert {name: colours[name] for name in TEXT if contrast(colours[name], colours["page"]) < 4.5} == {}
    assert {name: colours[name] for name in DRAWN if contrast(colours[name], colours["page"]) < 3} == {}


def test_style_every_colour_is_defined() -> None:
    used = set(re.findall(r"var\(--(\w+)\)", STYLE))
    assert used <= set(LIGHT)
    assert set(LIGHT) == set(DARK) == set(PAPER)


def test_style_fetches_nothing() -> None:
    assert re.findall(r"url\(|@import|@font-face|https?:", STYLE) == []
