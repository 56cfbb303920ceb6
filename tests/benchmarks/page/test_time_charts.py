import re
import xml.etree.ElementTree as ET  # reads only what these tests drew

import pytest

from benchmarks.page.time_charts import LEFT_PX, RIGHT_PX, histogram, stacked_bar, timeline

WIDTH_PX = 600


def parts(svg: str, kind: str) -> list[ET.Element]:
    return [found for found in ET.fromstring(svg).iter() if found.get("class") == kind]  # noqa: S314


def number(found: ET.Element, name: str) -> float:
    return float(found.get(name))


def test_histogram_twice_the_count_is_twice_as_high() -> None:
    drawn = histogram([10, 12, 14.4, 17.28], [50, 100, 25], deadline_ms=None, width_px=WIDTH_PX, told="")
    heights = [number(bar, "height") for bar in parts(drawn, "bar")]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.02)
    assert heights[1] == pytest.approx(4 * heights[2], abs=0.04)


def test_histogram_bars_stand_on_one_line_and_side_by_side() -> None:
    bars = parts(histogram([10, 12, 14.4], [5, 9], deadline_ms=None, width_px=WIDTH_PX, told=""), "bar")
    bottoms = [number(bar, "y") + number(bar, "height") for bar in bars]
    assert bottoms[0] == pytest.approx(bottoms[1], abs=0.02)
    assert number(bars[0], "x") + number(bars[0], "width") + 0.5 == pytest.approx(number(bars[1], "x"), abs=0.02)
    assert number(bars[0], "width") == pytest.approx(number(bars[1], "width"), abs=0.02)  # equal ratios


def test_histogram_deadline_stands_between_the_bins_it_parts() -> None:
    drawn = histogram([10, 20, 40, 80], [8, 4, 1], deadline_ms=40, width_px=WIDTH_PX, told="")
    deadline, miss, bars = parts(drawn, "deadline")[0], parts(drawn, "miss")[0], parts(drawn, "bar")
    assert number(deadline, "x1") == number(deadline, "x2") == pytest.approx(number(miss, "x"), abs=0.02)
    assert len(bars) == 2


def test_histogram_bin_across_the_deadline_is_no_miss() -> None:
    drawn = histogram([30, 36], [8], deadline_ms=33.3, width_px=WIDTH_PX, told="")
    assert parts(drawn, "miss") == []
    bar, line = parts(drawn, "bar")[0], parts(drawn, "deadline")[0]
    assert number(bar, "x") < number(line, "x1") < number(bar, "x") + number(bar, "width")


def test_histogram_deadline_far_from_all_frames_is_still_shown() -> None:
    drawn = histogram([1, 1.1], [8], deadline_ms=100, width_px=WIDTH_PX, told="")
    assert LEFT_PX < number(parts(drawn, "deadline")[0], "x1") < WIDTH_PX - RIGHT_PX


def test_histogram_one_frame_of_many_leaves_its_tick() -> None:
    drawn = histogram([10, 20, 40], [100_000, 1], deadline_ms=20, width_px=WIDTH_PX, told="")
    assert number(parts(drawn, "miss")[0], "height") < 0.01  # too small to be seen
    assert len(parts(drawn, "miss-rug")) == 1


def test_histogram_of_frames_all_alike_is_one_bar() -> None:
    drawn = histogram([10.0] * 33, [0] * 31 + [1000], deadline_ms=None, width_px=WIDTH_PX, told="")
    (bar,) = parts(drawn, "bar")
    assert number(bar, "width") > 0


def test_histogram_empty_bins_are_not_drawn() -> None:
    drawn = histogram([1, 2, 4, 8, 16], [0, 3, 0, 1], deadline_ms=None, width_px=WIDTH_PX, told="")
    assert len(parts(drawn, "bar")) == 2


def test_timeline_misses_alone_are_crossed() -> None:
    drawn = timeline([0, 1, 2, 3], [10, 40, 20, 50], deadline_ms=33.3, title="", width_px=WIDTH_PX, told="")
    assert parts(drawn, "cross")[0].get("d").count("M") == 2
    assert parts(drawn, "miss-stem")[0].get("d").count("M") == 2
    assert parts(drawn, "stem")[0].get("d").count("M") == 2


def test_timeline_frame_on_the_deadline_is_on_time() -> None:
    drawn = timeline([0, 1], [33.3, 10], deadline_ms=33.3, title="", width_px=WIDTH_PX, told="")
    assert parts(drawn, "cross") == []


def test_timeline_stall_turns_the_axis_logarithmic_and_says_so() -> None:
    drawn = timeline([0, 1], [10, 4000], deadline_ms=33.3, title="latency in ms", width_px=WIDTH_PX, told="")
    assert "latency in ms, logarithmic" in drawn


def test_timeline_deadline_that_all_missed_lies_below_them() -> None:
    drawn = timeline([0, 1], [40, 500], deadline_ms=2.5, title="", width_px=WIDTH_PX, told="")
    tops = [float(top) for top in re.findall(r"V([\d.]+)", parts(drawn, "miss-stem")[0].get("d"))]
    line, bottom = number(parts(drawn, "deadline")[0], "y1"), number(parts(drawn, "axis")[0], "y1")
    assert max(tops) < line < bottom


def test_timeline_single_frame_is_drawn() -> None:
    assert "stem" in timeline([0.0], [10.0], deadline_ms=33.3, title="", width_px=WIDTH_PX, told="")


def test_stacked_bar_widths_are_in_proportion_and_in_order() -> None:
    drawn = stacked_bar([("a", 100.0), ("b", 300.0)], limit_ms=None, limit_name="", width_px=WIDTH_PX, told="")
    first, second = parts(drawn, "part part-0")[0], parts(drawn, "part part-1")[0]
    assert number(second, "width") + 1 == pytest.approx(3 * (number(first, "width") + 1), abs=0.05)
    assert number(second, "x") == pytest.approx(number(first, "x") + number(first, "width") + 1, abs=0.02)


def test_stacked_bar_limit_stands_where_the_axis_has_it() -> None:
    drawn = stacked_bar([("a", 500.0)], limit_ms=1000, limit_name="limit", width_px=WIDTH_PX, told="")
    part, line = parts(drawn, "part part-0")[0], parts(drawn, "deadline")[0]
    start = number(part, "x")
    assert number(line, "x1") - start == pytest.approx(2 * (number(part, "width") + 1), abs=0.05)


def test_stacked_bar_thin_part_has_no_letter() -> None:
    drawn = stacked_bar([("a", 1000.0), ("b", 1.0)], limit_ms=None, limit_name="", width_px=WIDTH_PX, told="")
    assert [letter.text for letter in parts(drawn, "letter")] == ["a"]


def test_chart_tells_a_screen_reader_what_it_shows() -> None:
    drawn = histogram([1, 2], [3], deadline_ms=None, width_px=WIDTH_PX, told='3 frames "in all"')
    assert drawn.startswith('<svg viewBox="0 0 600 ')
    assert 'role="img" aria-label="3 frames &quot;in all&quot;"' in drawn
