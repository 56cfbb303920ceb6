import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from benchmarks.page.page import page, policy
from benchmarks.page.style import STYLE
from runtime.errors import DataError

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Checks that each element is closed in turn, and gathers what a browser would meet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def headings(record_or_records: Any) -> list[str]:
    records = record_or_records if isinstance(record_or_records, list) else [record_or_records]
    return [unescape(found) for found in re.findall(r"<h2>(.*?)</h2>", page(records))]


def test_page_is_well_formed_and_refers_to_nothing(make) -> None:
    read = Reader(page(make["all"]()))
    assert {"script", "img", "link", "iframe", "object", "a", "base", "form"} & {
        tag for tag, _ in read.elements
    } == set()
    names = {name for _, attributes in read.elements for name in attributes}
    assert names & {"src", "href", "xlink:href", "style", "action", "srcset", "poster"} == set()
    assert [name for name in names if name.startswith("on")] == []
    assert re.findall(r"url\(|https?://|@import", page(make["all"]())) == []


def test_page_reader_catches_a_planted_fault(make) -> None:
    whole = page([make["camera"]()])
    with pytest.raises(AssertionError):
        Reader(whole.replace("</table>", "", 1))


def test_page_policy_allows_this_style_and_nothing_else(make) -> None:
    read = Reader(page([make["camera"]()]))
    assert read.all("meta")[1] == {"http-equiv": "Content-Security-Policy", "content": policy(STYLE)}
    assert policy(STYLE).startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy(STYLE)
    assert policy("a") != policy("b")


def test_page_charts_and_tables_are_told_to_those_who_do_not_see(make) -> None:
    read = Reader(page(make["all"]()))
    shown = [svg for svg in read.all("svg") if svg.get("aria-hidden") != "true"]
    assert shown
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in shown)
    assert len(read.all("caption")) == len(read.all("table")) > 0
    assert {cell.get("scope") for cell in read.all("th")} == {"col", "row"}
    assert read.all("html") == [{"lang": "en"}]
    assert read.all("meta")[2] == {"name": "viewport", "content": "width=device-width, initial-scale=1"}


def test_page_opens_with_the_answer(make) -> None:
    text = Reader(page([make["camera"](slow=50)])).text
    assert text.index("✗ No.") < text.index("Gates") < text.index("At a camera's pace") < text.index("Machine")
    assert "At 30 Hz, 50 of 10,000 frames (0.5 %) missed the 33.3 ms budget, through a Stream " in text


def test_page_has_the_figures_of_every_scenario(make) -> None:
    text = Reader(page(make["all"]())).text
    for fact in (
        "deadline 33.3 ms",
        "withheld: needs 6,636",
        "9,950",  # frames that were on time
        "stem/Conv QLinearConv 3.100",
        "OpenVINO fp32",
        "2.41 [2.34, 2.51]",
        "99.998 %",
        "TensorRT: no NVIDIA GPU",
        "to be ready within 1,000 ms",
        "+0.41 ± 0.92 kB for 1,000 frames",
        "1.020 16,384 1,048,576",
        "0.6923",
        "250 frames of made_up_scenes.zip, val",
        "onnxruntime-gpu 1.31.1",
        "performance",
        "every figure of this record is made up",
        "2026-11-23 04:20 UTC",
    ):
        assert fact in text, fact


def test_page_sections_without_data_are_left_out(make) -> None:
    bare = make["single-stream"](files=[make["file"](accuracy=None)]) | {"notes": []}
    assert headings(bare) == ["One frame after another", "Files", "Machine"]
    assert headings(make["camera"]() | {"gates": []})[0] == "At a camera's pace"


@pytest.mark.parametrize(
    ("scenario", "heading"),
    [
        ("camera", "At a camera's pace"),
        ("single-stream", "One frame after another"),
        ("stages", "Where a frame's time goes"),
        ("peers", "Beside other engines"),
        ("cold-start", "Cold start"),
        ("soak", "Long run"),
        ("offline", "In batches"),
        ("sweep", "Over sizes and settings"),
    ],
)
def test_page_each_scenario_stands_alone(make, scenario: str, heading: str) -> None:
    record = make[scenario]()
    assert heading in headings(record)
    Reader(page([record]))


def test_page_names_in_a_record_are_escaped_everywhere(make) -> None:
    evil = "</style></svg><script>alert(1)</script>"

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if key in KEPT else poisoned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item) for item in value]
        return evil if isinstance(value, str) else value

    KEPT = ("scenario", "kind")  # noqa: N806
    records = [poisoned(record) for record in make["all"]()]
    made = page(records)
    assert "<script" not in made
    assert made.count("</style>") == 1
    assert len(Reader(made).all("svg")) == len(Reader(page(make["all"]())).all("svg"))
    assert evil in Reader(made).text


def test_page_empty_timeline_and_histogram_are_left_out(make) -> None:
    record = make["camera"]()
    every = record["results"][0]["every"]
    every["timeline"] = {"t_s": [], "ms": []}
    every["latency_ms"]["histogram"]["counts"] = [0] * len(every["latency_ms"]["histogram"]["counts"])
    assert len(Reader(page([record])).all("figure")) == 1  # accuracy against latency


def test_page_machines_that_differ_are_both_shown(make) -> None:
    other = make["single-stream"]()
    other["machine"]["cpu"] = "Another Processor"
    text = Reader(page([make["camera"](), other])).text
    assert "Imaginary 9000 8-Core Processor, 2 cores; Another Processor, 2 cores." in text


def test_page_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="one bench record or more was expected, got none; run"):
        page([])


@pytest.mark.parametrize("change", [{"schema_version": 1}, {"kind": "eval"}])
def test_page_of_another_record_is_refused(make, change: dict[str, object]) -> None:
    with pytest.raises(
        DataError, match=r"record 2 of 2: kind 'bench' of schema 2 was expected, got '\w+' of schema \d"
    ):
        page([make["camera"](), make["camera"]() | change])
