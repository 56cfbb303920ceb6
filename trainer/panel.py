"""Pictures of what a network sees and says: photo | truth | predicted, with a colour legend. Pillow only, no torch."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from runtime.overlay import colourise
from trainer.data.images import encode_png
from trainer.data.label_space import LabelSpace

CELL_PX = 256  # the longer side of a frame in the panel
MARGIN_PX = 8
TEXT_PX = 15
ROW_PX = 24
BACKGROUND, INK, FAINT = (250, 250, 250), (25, 25, 25), (120, 120, 120)
IGNORED_COLOUR = (0, 0, 0)

UInt8 = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, kw_only=True)
class PanelRow:
    """One line of pictures: image uint8 RGB [H,W,3], labels uint8 [H,W] (255 = ignored, drawn black)."""

    image_hwc: UInt8
    truth_hw: UInt8
    predicted_hw: UInt8 | None = None


def draw_panel(rows: Sequence[PanelRow], space: LabelSpace, *, title: str, iou: Sequence[float] | None = None) -> bytes:
    """Draws rows of frames under a title, with each class's colour, name and IoU below.

    Args:
        rows: frames of one size, one or more.
        space: names and colours of the classes.
        title: one line, at the top.
        iou: per class, NaN for a class that does not occur; None leaves the numbers out.

    Returns:
        The bytes of a PNG.
    """
    columns = ["photo", "truth"] + (["predicted"] if rows[0].predicted_hw is not None else [])
    height, width = _cell_size(rows[0].image_hwc)
    font = ImageFont.load_default(TEXT_PX)
    panel_width = MARGIN_PX + len(columns) * (width + MARGIN_PX)
    entries = _legend(space, iou)
    per_line = max(1, (panel_width - MARGIN_PX) // (widest_entry(font, entries) + 40))
    legend_px = -(-len(entries) // per_line) * ROW_PX
    top = MARGIN_PX + 2 * ROW_PX
    panel = Image.new("RGB", (panel_width, top + len(rows) * (height + MARGIN_PX) + legend_px + MARGIN_PX), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    draw.text((MARGIN_PX, MARGIN_PX), title, INK, font)
    for column, name in enumerate(columns):
        draw.text((MARGIN_PX + column * (width + MARGIN_PX), MARGIN_PX + ROW_PX), name, FAINT, font)
    for line, row in enumerate(rows):
        for column, picture in enumerate(_pictures(row, space)):
            place = (MARGIN_PX + column * (width + MARGIN_PX), top + line * (height + MARGIN_PX))
            method = Image.Resampling.BILINEAR if column == 0 else Image.Resampling.NEAREST
            panel.paste(Image.fromarray(picture).resize((width, height), method), place)
    draw_legend(draw, entries, per_line, panel_width, panel.height - MARGIN_PX - legend_px, font)
    return encode_png(np.asarray(panel))


def _cell_size(image_hwc: UInt8) -> tuple[int, int]:
    height, width = image_hwc.shape[:2]
    factor = CELL_PX / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _pictures(row: PanelRow, space: LabelSpace) -> list[UInt8]:
    maps = [row.truth_hw] + ([row.predicted_hw] if row.predicted_hw is not None else [])
    return [row.image_hwc] + [colourise(labels, space.palette, IGNORED_COLOUR) for labels in maps]


def _legend(space: LabelSpace, iou: Sequence[float] | None) -> list[tuple[tuple[int, int, int], str]]:
    entries = []
    for index, name in enumerate(space.classes):
        value = "" if iou is None else ("  absent" if np.isnan(iou[index]) else f"  IoU {iou[index]:.3f}")
        entries.append((space.palette[index], name + value))
    return [*entries, (IGNORED_COLOUR, "ignored")]


def widest_entry(font: Font, entries: list[tuple[tuple[int, int, int], str]]) -> int:
    """The width in pixels of the longest text of a legend."""
    return int(max(font.getlength(text) for _, text in entries)) + 1


def draw_legend(
    draw: ImageDraw.ImageDraw,
    entries: list[tuple[tuple[int, int, int], str]],
    per_line: int,
    panel_width: int,
    top: int,
    font: Font,
) -> None:
    """Draws colours with a text each, `per_line` of them side by side, rows of `ROW_PX` from `top` down."""
    step = (panel_width - MARGIN_PX) // per_line
    for index, (colour, text) in enumerate(entries):
        x, y = MARGIN_PX + (index % per_line) * step, top + (index // per_line) * ROW_PX
        draw.rectangle((x, y, x + 15, y + 15), colour, outline=FAINT)
        draw.text((x + 22, y), text, INK, font)


def fitted(text: str, font: Font, room_px: int) -> str:
    """The text, its middle replaced by dots as far as it is wider than the room; what can't be shown is escaped."""
    text = text.encode(errors="backslashreplace").decode()
    if font.getlength(text) <= room_px:
        return text

    def kept(count: int) -> str:
        return f"{text[: (count + 1) // 2]}...{text[len(text) - count // 2 :]}"

    too_many = bisect_left(range(len(text)), True, key=lambda count: font.getlength(kept(count)) > room_px)
    return kept(max(too_many - 1, 0))
