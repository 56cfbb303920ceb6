"""Charts that set one thing against another: ratios, growth, accuracy and memory. Numbers in, SVG out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.page.axes import Scale, across_axis, label, line, svg, up_axis
from benchmarks.page.markup import Markup, element
from benchmarks.page.numbers import count
from benchmarks.page.time_charts import BOTTOM_PX, LEFT_PX, PLOT_PX, RIGHT_PX, TOP_PX, letter, upright

ROW_PX = 46  # of one peer: its name above, its interval below
_MARKS = 6  # different marks and colours of series


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One row of `intervals`: a median and its interval, all over 0.

    Attributes:
        name: at the left.
        median: the dot.
        low: where the interval begins.
        high: where it ends.
    """

    name: str
    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """One file in `scatter`.

    Attributes:
        latency_ms: across.
        mean_iou: up, 0 to 1.
        worst_iou: of the class that does worst; up, likewise.
    """

    latency_ms: float
    mean_iou: float
    worst_iou: float


def intervals(rows: Sequence[Ratio], *, title: str, width_px: int, told: str) -> Markup:
    """Draws ratios as dots with their intervals around an upright line at 1, over a logarithmic axis.

    Args:
        rows: from the top.
        title: of the axis: what is over what.
        width_px: of the picture.
        told: what a screen reader says.
    """
    reach = max(max(row.high, 1 / row.low, row.median, 1 / row.median) for row in rows) ** 1.1
    reach = max(reach, 1.25)  # a race between equals must not look like one between extremes
    across = Scale(low=1 / reach, high=reach, start_px=12, end_px=width_px - RIGHT_PX, log=True)
    bottom = TOP_PX + ROW_PX * len(rows)
    drawn = [*across_axis(across, bottom, title), *upright(across, 1.0, "segtool = 1", bottom)]
    for index, row in enumerate(rows):
        text_y, y = TOP_PX + index * ROW_PX + 16, TOP_PX + index * ROW_PX + 31
        shown = f"{row.median:.2f} [{row.low:.2f}, {row.high:.2f}]"
        left, right = across.at(row.low), across.at(row.high)
        drawn += [
            label(row.name, 0, text_y, anchor="start", kind="name"),
            label(shown, width_px, text_y, anchor="end", kind="name"),
            line("interval", left, y, right, y),
            line("interval", left, y - 4, left, y + 4),
            line("interval", right, y - 4, right, y + 4),
            element("circle", {"class": "dot", "cx": across.at(row.median), "cy": y, "r": 4.5}),
        ]
    return svg(width_px, bottom + BOTTOM_PX, told, *drawn)


def scatter(points: Sequence[Point], *, width_px: int, told: str) -> Markup:
    """Draws accuracy against latency: of each file the mean IoU as a disc, the worst class's as a diamond below it.

    Args:
        points: in the order of the letters under which a table names them.
        width_px: of the picture.
        told: what a screen reader says.
    """
    bottom, times = TOP_PX + PLOT_PX, [point.latency_ms for point in points]
    low, high = min(times) / 1.25, max(times) * 1.25
    across = Scale(low=low, high=high, start_px=LEFT_PX, end_px=width_px - RIGHT_PX, log=True)
    up = Scale(low=0, high=1, start_px=bottom, end_px=TOP_PX)
    drawn = [
        *up_axis(up, across, "IoU: disc mean, diamond worst class"),
        *across_axis(across, bottom, "p50 in ms, logarithmic"),
    ]
    for index, point in enumerate(points):
        x, mean, worst = across.at(point.latency_ms), up.at(point.mean_iou), up.at(point.worst_iou)
        drawn += [
            line("stalk", x, mean, x, worst),
            element("circle", {"class": "dot", "cx": x, "cy": mean, "r": 5}),
            element("path", {"class": "diamond", "d": _diamond(x, worst)}),
            label(letter(index), x, mean - 9, kind="letter"),
        ]
    return svg(width_px, bottom + BOTTOM_PX, told, *drawn)


def growth(series: Sequence[Sequence[tuple[float, float]]], *, width_px: int, told: str) -> Markup:
    """Draws time over pixels on two logarithmic axes; each series has its mark, its letter, and a line of slope 1.

    Args:
        series: of each, (pixels, ms) by rising pixels; two points or more.
        width_px: of the picture.
        told: what a screen reader says.
    """
    bottom = TOP_PX + PLOT_PX
    pixels = [pixel for points in series for pixel, _ in points]
    times = [time for points in series for _, time in points]
    end_px = width_px - RIGHT_PX - 16  # room for the letters at the ends
    across = Scale(low=min(pixels) / 1.2, high=max(pixels) * 1.2, start_px=LEFT_PX, end_px=end_px, log=True)
    up = Scale(low=min(times) / 1.5, high=max(times) * 1.5, start_px=bottom, end_px=TOP_PX, log=True)
    drawn = [
        *up_axis(up, across, "median in ms, logarithmic"),
        *across_axis(across, bottom, "pixels, logarithmic", _short),
    ]
    for index, points in enumerate(series):
        places = [(across.at(pixel), up.at(time)) for pixel, time in points]
        (first_px, first_ms), last_px = points[0], points[-1][0]
        end = first_ms * last_px / first_px
        drawn.append(line("slope-1", *places[0], across.at(last_px), up.at(end)))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        drawn.append(element("path", {"class": f"series series-{index % _MARKS}", "d": path}))
        drawn += [element("path", {"class": f"mark mark-{index % _MARKS}", "d": _mark(index, x, y)}) for x, y in places]
        drawn.append(label(letter(index), places[-1][0] + 10, places[-1][1] + 4, anchor="start", kind="letter"))
    return svg(width_px, bottom + BOTTOM_PX, told, *drawn)


def memory(frames: Sequence[float], mb: Sequence[float], *, slope_mb: float, width_px: int, told: str) -> Markup:
    """Draws memory over frames, with the straight line of the slope through their middle.

    Args:
        frames: at which memory was read, rising; two or more.
        mb: resident memory in megabytes.
        slope_mb: megabytes a frame.
        width_px: of the picture.
        told: what a screen reader says.
    """
    bottom = TOP_PX + PLOT_PX
    middle, mean = sum(frames) / len(frames), sum(mb) / len(mb)
    ends = [mean + slope_mb * (frame - middle) for frame in (frames[0], frames[-1])]
    low, high = min(*mb, *ends), max(*mb, *ends)
    room = max(high - low, 0.02 * high) / 4  # noise of a few pages must not fill the picture
    across = Scale(low=frames[0], high=frames[-1], start_px=LEFT_PX + 8, end_px=width_px - RIGHT_PX)
    up = Scale(low=low - room, high=high + room, start_px=bottom, end_px=TOP_PX)
    path = "M" + "L".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in zip(frames, mb, strict=True))
    drawn = [
        *up_axis(up, across, "resident memory in MB (the axis does not begin at 0)"),
        *across_axis(across, bottom, "frames", _short),
        element("path", {"class": "series series-0", "d": path}),
        line("deadline", across.at(frames[0]), up.at(ends[0]), across.at(frames[-1]), up.at(ends[1])),
    ]
    return svg(width_px, bottom + BOTTOM_PX, told, *drawn)


def _mark(index: int, x: float, y: float) -> str:
    """Returns a disc, square, triangle or diamond as a path: series differ by shape as well as by colour."""
    shapes = (
        f"M{x - 4.5:.1f} {y:.1f}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
        f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
        f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
        _diamond(x, y),
    )
    return shapes[index % len(shapes)]


def _diamond(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 and math.isclose(value % 100, 0) else count(value)
