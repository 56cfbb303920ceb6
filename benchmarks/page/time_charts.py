"""Charts of times: how often which latency came, when it came, and what it is made of. Numbers in, SVG out."""

from collections.abc import Sequence

from benchmarks.page.axes import Scale, across_axis, label, line, svg, up_axis
from benchmarks.page.markup import Markup, element
from benchmarks.page.numbers import count, ms, several

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 52, 14, 44, 46  # room for labels around a plot
PLOT_PX, BAR_PX = 190, 44  # high
RUG_PX = 7  # between a plot and its axis, for the ticks of bins
_LOG_FROM = 8  # a slowest frame so many times the deadline (or the median) would flatten all others: logarithmic then
_LETTER_PX = 14  # the narrowest part of a bar that has room for its letter


def histogram(
    edges_ms: Sequence[float], counts: Sequence[int], *, deadline_ms: float | None, width_px: int, told: str
) -> Markup:
    """Draws how many frames fell into each bin, over a logarithmic axis of time.

    Heights are in proportion to counts; a bin too small to be seen still has its tick below the axis.

    Args:
        edges_ms: of the bins, rising, one more than there are counts.
        counts: frames in each bin; at least one is over 0.
        deadline_ms: drawn as a line; bins that begin at or after it look different.
        width_px: of the picture.
        told: what a screen reader says.
    """
    filled = [index for index, number in enumerate(counts) if number]
    low, high = edges_ms[filled[0]], edges_ms[filled[-1] + 1]
    if deadline_ms is not None:
        low, high = min(low, deadline_ms / 1.1), max(high, deadline_ms * 1.1)
    across = Scale(low=low / 1.03, high=high * 1.03, start_px=LEFT_PX, end_px=width_px - RIGHT_PX, log=True)
    bottom = TOP_PX + PLOT_PX
    up = Scale(low=0, high=max(counts) * 1.05, start_px=bottom, end_px=TOP_PX)
    drawn = [
        *up_axis(up, across, "frames", _whole),
        *across_axis(across, bottom + RUG_PX, "latency in ms, logarithmic"),
    ]
    for index in filled:
        left, right = across.at(edges_ms[index]), across.at(edges_ms[index + 1])
        beyond = deadline_ms is not None and edges_ms[index] >= deadline_ms
        top = up.at(counts[index])
        place = {"x": left, "y": top, "width": max(right - left - 0.5, 0.5), "height": bottom - top}
        told_bin = f"{ms(edges_ms[index])} to {ms(edges_ms[index + 1])}: {several(counts[index], 'frame')}"
        kind = "miss" if beyond else "bar"
        drawn.append(element("rect", {"class": kind, **place}, element("title", {}, told_bin)))
        drawn.append(line(f"{kind}-rug", (left + right) / 2, bottom + 1, (left + right) / 2, bottom + RUG_PX))
    if deadline_ms is not None:
        drawn += upright(across, deadline_ms, f"deadline {ms(deadline_ms)}", bottom)
    return svg(width_px, bottom + RUG_PX + BOTTOM_PX, told, *drawn)


def timeline(
    t_s: Sequence[float], times_ms: Sequence[float], *, deadline_ms: float, title: str, width_px: int, told: str
) -> Markup:
    """Draws the latency of frames over the time for which they were planned; each miss is crossed.

    Args:
        t_s: planned times in seconds; at least one.
        times_ms: the latency, or age, of each.
        deadline_ms: drawn as a line; a time above it is a miss.
        title: of the vertical axis, with its unit.
        width_px: of the picture.
        told: what a screen reader says.
    """
    bottom, slowest, quickest = TOP_PX + PLOT_PX, max(times_ms), min(times_ms)
    log = slowest > _LOG_FROM * deadline_ms and quickest > 0
    low, high = (min(quickest, deadline_ms) / 1.2, slowest * 1.2) if log else (0.0, max(slowest, deadline_ms) * 1.08)
    up = Scale(low=low, high=high, start_px=bottom, end_px=TOP_PX, log=log)
    first, last = min(t_s), max(t_s)
    end_px = width_px - RIGHT_PX
    across = Scale(low=first, high=max(last, first + 1e-3), start_px=LEFT_PX, end_px=end_px)
    shown = f"{title}, logarithmic" if log else title
    points = [(across.at(t), up.at(value), value > deadline_ms) for t, value in zip(t_s, times_ms, strict=True)]
    drawn = [*up_axis(up, across, shown), *across_axis(across, bottom, "planned time in s")]
    for kind, missed in (("stem", False), ("miss-stem", True)):
        stems = "".join(f"M{x:.1f} {bottom}V{y:.1f}" for x, y, late in points if late == missed)
        if stems:
            drawn.append(element("path", {"class": kind, "d": stems}))
    crosses = "".join(f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" for x, y, late in points if late)
    if crosses:
        drawn.append(element("path", {"class": "cross", "d": crosses}))
    y = up.at(deadline_ms)
    drawn.append(line("deadline", LEFT_PX, y, end_px, y))
    drawn.append(label(f"deadline {ms(deadline_ms)}", end_px, TOP_PX - 10, anchor="end", kind="deadline-label"))
    return svg(width_px, bottom + BOTTOM_PX, told, *drawn)


def stacked_bar(
    parts_ms: Sequence[tuple[str, float]], *, limit_ms: float | None, limit_name: str, width_px: int, told: str
) -> Markup:
    """Draws one bar of parts in their order, each with the letter under which the table beside it names it.

    Args:
        parts_ms: name and time of each, none below 0, their sum over 0; eight at most.
        limit_ms: drawn as a line over the same axis, or None.
        limit_name: what that line is.
        width_px: of the picture.
        told: what a screen reader says.
    """
    total = sum(part for _, part in parts_ms)
    high = max(total, limit_ms or 0) * 1.02
    across = Scale(low=0, high=high, start_px=4, end_px=width_px - RIGHT_PX)
    top = 24 if limit_ms is None else TOP_PX + 14
    bottom = top + BAR_PX
    drawn = across_axis(across, bottom + RUG_PX, "ms")
    before = 0.0
    for index, (name, part) in enumerate(parts_ms):
        left, right = across.at(before), across.at(before + part)
        before += part
        place = {"x": left, "y": top, "width": max(right - left - 1, 0.5), "height": BAR_PX}
        told_part = element("title", {}, f"{name}: {ms(part)}")
        drawn.append(element("rect", {"class": f"part part-{index}", **place}, told_part))
        if right - left >= _LETTER_PX:
            drawn.append(label(letter(index), (left + right) / 2, top - 7, kind="letter"))
    if limit_ms is not None:
        drawn += upright(across, limit_ms, f"{limit_name} {ms(limit_ms)}", bottom)
    return svg(width_px, bottom + RUG_PX + BOTTOM_PX, told, *drawn)


def letter(index: int) -> str:
    """Returns the letter of a bar's part, or of a point: a, b, c, ..."""
    return "abcdefghijklmnopqrstuvwxyz"[index % 26]


def upright(across: Scale, value: float, text: str, bottom_px: float) -> list[Markup]:
    """Returns a dashed upright line at a value, and its text at the top, on the side where there is more room."""
    x = across.at(value)
    anchor = "end" if x > (across.start_px + across.end_px) / 2 else "start"
    drawn = label(text, x, TOP_PX - 12, anchor=anchor, kind="deadline-label")
    return [line("deadline", x, TOP_PX - 6, x, bottom_px), drawn]


def _whole(value: float) -> str:
    return count(value) if float(value).is_integer() else ""
