"""The page in a real browser: no network, a phone's width, dark mode, a printer, and what a name in a file may do."""

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.page.page import page

SPEC = importlib.util.spec_from_file_location("page_browser", Path(__file__).with_name("browser.py"))
browser_module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(browser_module)
PROGRAM = browser_module.find_browser()

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason=f"no browser: none of {', '.join(browser_module.NAMES)} is installed"
)
PHONE_PX, DESK_PX = 360, 1200


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    opened = browser_module.Browser(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def whole(make, tmp_path: Path) -> Path:
    path = tmp_path / "bench.html"
    path.write_text(page(make["all"]()), encoding="utf-8")
    return path


def brightness(png: bytes) -> float:
    return float(np.median(np.asarray(Image.open(io.BytesIO(png)).convert("L"))))


@pytest.mark.parametrize("width_px", [320, PHONE_PX, 768, DESK_PX])
def test_page_at_any_width_does_not_scroll_sideways(browser, whole: Path, width_px: int) -> None:
    browser.open(whole, width_px=width_px)
    assert browser.ask("document.documentElement.scrollWidth") <= width_px
    assert browser.ask("document.body.scrollWidth") <= width_px


def test_page_planted_wide_box_is_seen_to_scroll(browser, whole: Path) -> None:
    whole.write_text(
        whole.read_text()
        .replace("</main>", '<svg width="500" height="9"></svg></main>')
        .replace("svg { display: block; width: 100%;", "svg { display: block; min-width: 500px; width: 100%;")
    )
    whole.write_text(whole.read_text().replace("style-src", "style-src-elem 'unsafe-inline'; style-src"))
    browser.open(whole, width_px=PHONE_PX)
    assert browser.ask("document.documentElement.scrollWidth") > PHONE_PX


def test_page_without_network_loads_itself_alone_and_complains_of_nothing(browser, whole: Path) -> None:
    browser.open(whole, width_px=DESK_PX)
    assert browser.requests() == [whole.as_uri()]
    assert browser.complaints() == []
    assert browser.ask("getComputedStyle(document.querySelector('.number')).textAlign") == "right"  # the style applies


def test_page_planted_style_that_the_policy_does_not_know_is_complained_of(browser, whole: Path) -> None:
    whole.write_text(whole.read_text().replace("<style>", "<style>p { color: red }"))
    browser.open(whole, width_px=DESK_PX)
    assert any("Content Security Policy" in said for said in browser.complaints())


def test_page_planted_picture_from_elsewhere_is_not_fetched(browser, whole: Path) -> None:
    whole.write_text(whole.read_text().replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'))
    browser.open(whole, width_px=DESK_PX)
    assert any("Content Security Policy" in said for said in browser.complaints())


def test_page_text_says_verdict_and_machine(browser, whole: Path) -> None:
    browser.open(whole, width_px=DESK_PX)
    text = browser.ask("document.body.innerText")
    assert "At 30 Hz, 50 of 10,000 frames (0.5 %) missed the 33.3 ms budget, through a Stream " in text
    assert "Imaginary 9000 8-Core Processor, 2 cores" in text
    assert "deadline 33.3 ms" in text


def test_page_in_the_dark_is_dark_and_in_the_light_light(browser, whole: Path) -> None:
    browser.open(whole, width_px=DESK_PX)
    light = browser.screenshot()
    browser.open(whole, width_px=DESK_PX, dark=True)
    dark = browser.screenshot()
    assert brightness(light) > 240
    assert brightness(dark) < 40


@pytest.mark.parametrize("width_px", [PHONE_PX, DESK_PX])
def test_page_charts_show_once_with_text_large_enough_to_read(browser, whole: Path, width_px: int) -> None:
    browser.open(whole, width_px=width_px)
    shown = "[...figure.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width).length"
    assert set(browser.ask(f"[...document.querySelectorAll('figure')].map(figure => {shown})")) == {1}
    heights = browser.ask(
        "[...document.querySelectorAll('figure text')].map(t => t.getBoundingClientRect().height).filter(h => h)"
    )
    assert min(heights) >= 11


@pytest.mark.parametrize("width_px", [PHONE_PX, DESK_PX])
def test_page_charts_keep_their_text_inside_the_page(browser, whole: Path, width_px: int) -> None:
    browser.open(whole, width_px=width_px)
    ends = browser.ask(
        "[...document.querySelectorAll('figure text')].map(t => t.getBoundingClientRect())"
        ".filter(box => box.width).map(box => [box.left, box.right])"
    )
    assert min(left for left, _ in ends) >= 0
    assert max(right for _, right in ends) <= width_px


def test_page_names_that_are_markup_stay_names(browser, make, tmp_path: Path) -> None:
    evil = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    worst = {"data": evil, "split": evil, "frames": 1, "mean_iou": 0.5, "worst_class": {"name": evil, "iou": 0.1}}
    record = make["single-stream"](files=[make["file"](evil, network=evil, accuracy=worst)])
    path = tmp_path / "evil.html"
    path.write_text(page([record]), encoding="utf-8")
    browser.open(path, width_px=DESK_PX)
    assert browser.ask("document.title").startswith("segtool bench: <script>")
    assert browser.ask("document.querySelectorAll('script, img').length") == 0
    assert evil in browser.ask("document.body.innerText")
    assert browser.requests() == [path.as_uri()]


def test_page_prints(browser, whole: Path) -> None:
    browser.open(whole, width_px=DESK_PX, dark=True)
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert (
        browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )  # though the screen is dark
    browser.send("Emulation.setEmulatedMedia", media="")
