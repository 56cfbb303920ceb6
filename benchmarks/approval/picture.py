"""Frames side by side: photo | truth | old | new | what changed, in the classes' colours. Pillow only, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from benchmarks.approval.comparison import LabelledFrame
from benchmarks.approval.worst import FrameLoss
from runtime.errors import UsageError
from runtime.overlay import colourise
from runtime.spec import IGNORE_ID
from trainer.data.images import encode_png
from trainer.data.label_space import LabelSpace
from trainer.panel import (
    BACKGROUND,
    CELL_PX,
    FAINT,
    IGNORED_COLOUR,
    INK,
    MARGIN_PX,
    ROW_PX,
    TEXT_PX,
    Font,
    draw_legend,
    fitted,
    widest_entry,
)

BETTER, WORSE, NEITHER = (70, 160, 255), (255, 60, 30), (255, 220, 60)  # as in the confusion picture: blue is right
HEADS = ("frame", "truth", "OLD", "NEW", "changed")

_DIMMED = 0.45  # of the frame's brightness, under the pixels that changed
_TITLE_PX = 19

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorstFrame:
    """A frame that lost much, and how much."""

    frame: LabelledFrame
    loss: FrameLoss


def draw_worst_frames(frames: Sequence[WorstFrame], space: LabelSpace, *, title: str, notes: Sequence[str]) -> bytes:
    """Draws frames under a title, each with what it lost above, and what the colours mean below.

    Args:
        frames: one or more, of one size.
        space: names and colours of the classes.
        title: one line.
        notes: lines under it: which models these are, and the verdict.

    Returns:
        The bytes of a PNG.

    Raises:
        UsageError: no frames.
    """
    if not frames:
        raise UsageError("expected one frame or more to draw, got none; give frames")
    width, height = _cell_size(frames[0].frame.image_hwc)
    font = ImageFont.load_default(TEXT_PX)
    panel_width = MARGIN_PX + len(HEADS) * (width + MARGIN_PX)
    entries = [
        *zip(space.palette, space.classes, strict=True),
        (IGNORED_COLOUR, "ignored, or no answer"),
        (BETTER, "changed: turned right"),
        (WORSE, "changed: turned wrong"),
        (NEITHER, "changed: wrong both times"),
    ]
    per_line = max(1, (panel_width - MARGIN_PX) // (widest_entry(font, entries) + 40))
    legend_px = -(-len(entries) // per_line) * ROW_PX
    top = 2 * MARGIN_PX + (len(notes) + 2) * ROW_PX
    row_px = ROW_PX + height + MARGIN_PX
    panel = Image.new("RGB", (panel_width, top + len(frames) * row_px + legend_px + 2 * MARGIN_PX), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    room = panel_width - 2 * MARGIN_PX
    large = ImageFont.load_default(_TITLE_PX)
    draw.text((MARGIN_PX, MARGIN_PX), fitted(title, large, room), INK, large)
    for line, note in enumerate(notes, start=1):
        draw.text((MARGIN_PX, MARGIN_PX + line * ROW_PX + 4), fitted(note, font, room), INK, font)
    for column, head in enumerate(HEADS):
        draw.text((MARGIN_PX + column * (width + MARGIN_PX), top - ROW_PX), head, FAINT, font)
    for line, each in enumerate(frames):
        y = top + line * row_px
        _draw_caption(draw, each, (MARGIN_PX, y + 2), room, font)
        for column, picture in enumerate(_pictures(each.frame, space, (width, height))):
            panel.paste(picture, (MARGIN_PX + column * (width + MARGIN_PX), y + ROW_PX))
    draw_legend(draw, entries, per_line, panel_width, panel.height - MARGIN_PX - legend_px, font)
    return encode_png(np.asarray(panel))


def _cell_size(image_hwc: UInt8) -> tuple[int, int]:
    height, width = image_hwc.shape[:2]
    factor = CELL_PX / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _draw_caption(draw: ImageDraw.ImageDraw, each: WorstFrame, place: tuple[int, int], room: int, font: Font) -> None:
    """The frame's name to the left, right behind it what it lost; the name gives way where it is too long."""
    frame, loss = each.frame, each.loss
    valid = max(int(np.count_nonzero(frame.truth_hw != IGNORE_ID)), 1)
    better, worse, neither = (np.count_nonzero(mask) for mask in _changes(frame))
    text = (
        f"{worse / valid:.1%} of its pixels turned wrong, {better / valid:.1%} turned right, {neither / valid:.1%} "
        f"wrong both times; it lost most of {loss.class_name}: {loss.class_loss:.2%} of the split's"
    )
    name = fitted(frame.name, font, room - int(font.getlength(text)) - 2 * MARGIN_PX)
    draw.text(place, name, INK, font)
    draw.text((place[0] + int(font.getlength(name)) + 2 * MARGIN_PX, place[1]), text, FAINT, font)


def _pictures(frame: LabelledFrame, space: LabelSpace, size_px: tuple[int, int]) -> list[Image.Image]:
    photo = Image.fromarray(np.ascontiguousarray(frame.image_hwc)).resize(size_px, Image.Resampling.BILINEAR)
    labels = [
        Image.fromarray(colourise(labels_hw, space.palette, IGNORED_COLOUR)).resize(size_px, Image.Resampling.NEAREST)
        for labels_hw in (frame.truth_hw, frame.old_hw, frame.new_hw)
    ]
    grey = np.asarray(photo.convert("L"), np.float32) * _DIMMED
    changed = np.repeat(grey[:, :, None], 3, axis=2).round().astype(np.uint8)
    better, worse, neither = (_seen_at(mask, size_px) for mask in _changes(frame))
    for mask, colour in ((neither, NEITHER), (better, BETTER), (worse, WORSE)):  # what is worse is never covered
        changed[mask] = colour
    return [photo, *labels, Image.fromarray(changed)]


def _changes(frame: LabelledFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where the label changed on a pixel with a truth: better, worse, neither."""
    changed = (frame.old_hw != frame.new_hw) & (frame.truth_hw != IGNORE_ID)
    better, worse = frame.new_hw == frame.truth_hw, frame.old_hw == frame.truth_hw
    return changed & better, changed & worse, changed & ~better & ~worse


def _seen_at(mask_hw: npt.NDArray[np.bool_], size_px: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask at another size; where it shrinks, a single pixel is still seen: in float no share of it rounds to 0."""
    return np.asarray(Image.fromarray(mask_hw.astype(np.float32)).resize(size_px, Image.Resampling.BOX)) > 0
