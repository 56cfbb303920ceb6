"""Axes of the page's charts: from numbers to pixels, round ticks, and the grid that a chart is drawn on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.page.markup import Markup, element

CHARACTER_PX = 6.6  # of a label's digits at 12 px, on the generous side: labels must not touch
TITLE_PX = 13  # baseline of the line at the top of a picture
_MANTISSAS = ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1,))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to pixels along one axis.

    Attributes:
        low: the value at `start_px`; over 0 where `log`.
        high: the value at `end_px`; over `low`.
        start_px: left end, or bottom.
        end_px: right end, or top.
        log: equal ratios take equal room.
    """

    low: float
    high: float
    start_px: float
    end_px: float
    log: bool = False

    def at(self, value: float) -> float:
        """Returns the pixel of a value; of one outside, the nearer end."""
        held = min(max(value, self.low), self.high)
        along = (
            math.log(held / self.low) / math.log(self.high / self.low)
            if self.log
            else (held - self.low) / (self.high - self.low)
        )
        return self.start_px + along * (self.end_px - self.start_px)

    def ticks(self, most: int) -> list[float]:
        """Returns round values within the scale, at most so many."""
        if not self.log:
            return linear_ticks(self.low, self.high, most)
        for mantissas in _MANTISSAS:
            found = _log_ticks(self.low, self.high, mantissas)
            if 2 <= len(found) <= most:  # a single tick tells no scale
                return found
        decades = _log_ticks(self.low, self.high, (1,))
        thinned = decades[:: math.ceil(len(decades) / most)] if decades else []
        return thinned if len(thinned) > 1 else linear_ticks(self.low, self.high, most)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Returns multiples of 1, 2 or 5 times a power of ten from `low` to `high`, at most `most` (2 or more)."""
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, mantissas: Sequence[float]) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [mantissa * 10.0**decade for decade in decades for mantissa in mantissas]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def across_axis(
    scale: Scale, bottom_px: float, title: str, text: Callable[[float], str] = "{:,g}".format
) -> list[Markup]:
    """Returns the horizontal axis: line, ticks, their labels, and the title at its right end.

    Args:
        scale: of the axis.
        bottom_px: its height in the picture.
        title: what it shows, with its unit.
        text: a tick's value -> its label.
    """
    left, right = scale.start_px, scale.end_px
    widest = max(len(text(value)) for value in scale.ticks(9))
    drawn = [line("axis", left, bottom_px, right, bottom_px)]
    for value in scale.ticks(max(3, int((right - left) / (CHARACTER_PX * widest + 22)))):
        x = scale.at(value)
        drawn += [line("tick", x, bottom_px, x, bottom_px + 4), label(text(value), x, bottom_px + 19)]
    return [*drawn, label(title, right, bottom_px + 38, anchor="end", kind="title")]


def up_axis(scale: Scale, across: Scale, title: str, text: Callable[[float], str] = "{:,g}".format) -> list[Markup]:
    """Returns the vertical axis: a grid line and label for each tick; the title stands above, to be read upright.

    Args:
        scale: of the axis.
        across: the horizontal scale, whose width the grid takes.
        title: what it shows, with its unit.
        text: a tick's value -> its label.
    """
    drawn = []
    for value in scale.ticks(max(3, int((scale.start_px - scale.end_px) / 38))):
        y = scale.at(value)
        drawn += [
            line("grid", across.start_px, y, across.end_px, y),
            label(text(value), across.start_px - 7, y + 4, anchor="end"),
        ]
    return [*drawn, label(title, 0, TITLE_PX, anchor="start", kind="title")]


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Returns a straight line; `kind` is its class in the style sheet."""
    return element("line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def label(text: str, x: float, y: float, *, anchor: str = "middle", kind: str = "label") -> Markup:
    """Returns text with its baseline at `y`."""
    return element("text", {"class": kind, "x": x, "y": y, "text-anchor": anchor}, text)


def svg(width_px: float, height_px: float, told: str, *drawn: Markup) -> Markup:
    """Returns the picture, which a screen reader tells as `told`."""
    box = f"0 0 {width_px:g} {height_px:g}"
    return element("svg", {"viewBox": box, "role": "img", "aria-label": told}, *drawn)
