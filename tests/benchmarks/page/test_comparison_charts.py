import re
import xml.etree.ElementTree as ET  # reads only what these tests drew

import pytest

from benchmarks.page.comparison_charts import Point, Ratio, growth, intervals, memory, scatter

WIDTH_PX = 600


def parts(svg: str, kind: str) -> list[ET.Element]:
    return [found for found in ET.fromstring(svg).iter() if found.get("class") == kind]  # noqa: S314


def path_points(found: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", found.get("d"))]


def test_intervals_dot_lies_within_and_one_in_the_middle() -> None:
    rows = [Ratio(name="a", median=2.0, low=1.8, high=2.2), Ratio(name="b", median=0.5, low=0.4, high=0.6)]
    drawn = intervals(rows, title="", width_px=WIDTH_PX, told="")
    one = float(parts(drawn, "deadline")[0].get("x1"))
    slower, quicker = (float(dot.get("cx")) for dot in parts(drawn, "dot"))
    assert slower - one == pytest.approx(one - quicker, abs=0.05)  # twice and half are as far from equal
    bar = parts(drawn, "interval")[0]
    assert float(bar.get("x1")) < slower < float(bar.get("x2"))


def test_intervals_of_equals_are_not_blown_up() -> None:
    drawn = intervals([Ratio(name="a", median=1.0, low=0.999, high=1.001)], title="", width_px=WIDTH_PX, told="")
    bar = parts(drawn, "interval")[0]
    assert float(bar.get("x2")) - float(bar.get("x1")) < WIDTH_PX / 50


def test_scatter_better_is_higher_and_quicker_is_left() -> None:
    points = [
        Point(latency_ms=10, mean_iou=0.7, worst_iou=0.2),
        Point(latency_ms=20, mean_iou=0.8, worst_iou=0.4),
    ]
    first, second = parts(scatter(points, width_px=WIDTH_PX, told=""), "dot")
    assert float(first.get("cx")) < float(second.get("cx"))
    assert float(first.get("cy")) > float(second.get("cy"))


def test_scatter_heights_are_the_scores() -> None:
    drawn = scatter([Point(latency_ms=10, mean_iou=0.75, worst_iou=0.25)], width_px=WIDTH_PX, told="")
    stalk = parts(drawn, "stalk")[0]
    grid = sorted(float(line.get("y1")) for line in parts(drawn, "grid"))
    whole = grid[-1] - grid[0]  # from 0 to 1
    assert float(stalk.get("y2")) - float(stalk.get("y1")) == pytest.approx(0.5 * whole, abs=0.05)


def test_growth_in_proportion_lies_on_the_dotted_line() -> None:
    drawn = growth([[(1e4, 1.0), (1e5, 10.0), (1e6, 100.0)]], width_px=WIDTH_PX, told="")
    slope, ends = parts(drawn, "slope-1")[0], path_points(parts(drawn, "series series-0")[0])
    assert ends[0] == pytest.approx((float(slope.get("x1")), float(slope.get("y1"))), abs=0.1)
    assert ends[-1] == pytest.approx((float(slope.get("x2")), float(slope.get("y2"))), abs=0.1)


def test_growth_faster_than_pixels_lies_above_it() -> None:
    drawn = growth([[(1e4, 1.0), (1e6, 200.0)]], width_px=WIDTH_PX, told="")
    slope, ends = parts(drawn, "slope-1")[0], path_points(parts(drawn, "series series-0")[0])
    assert ends[-1][1] < float(slope.get("y2")) - 1


def test_growth_series_differ_by_mark_as_well_as_by_colour() -> None:
    series = [[(1e4, 1.0 + index), (1e5, 9.0 + index)] for index in range(4)]
    drawn = growth(series, width_px=WIDTH_PX, told="")
    shapes = {re.sub(r"^M[-\d.]+ [-\d.]+", "", parts(drawn, f"mark mark-{index}")[0].get("d")) for index in range(4)}
    assert len(shapes) == 4


def test_memory_flat_run_is_a_flat_line() -> None:
    drawn = memory([0, 100, 200], [150.0, 150.0, 150.0], slope_mb=0.0, width_px=WIDTH_PX, told="")
    assert len({y for _, y in path_points(parts(drawn, "series series-0")[0])}) == 1


def test_memory_slope_line_goes_through_a_leak() -> None:
    drawn = memory([0, 100, 200], [150.0, 160.0, 170.0], slope_mb=0.1, width_px=WIDTH_PX, told="")
    line, points = parts(drawn, "deadline")[0], path_points(parts(drawn, "series series-0")[0])
    assert (float(line.get("x1")), float(line.get("y1"))) == pytest.approx(points[0], abs=0.1)
    assert (float(line.get("x2")), float(line.get("y2"))) == pytest.approx(points[-1], abs=0.1)
