"""A confusion matrix as a picture: of each class of the truth, what its pixels were taken for. No torch."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from runtime.metrics import Counts
from trainer.data.images import encode_png
from trainer.data.label_space import LabelSpace
from trainer.panel import BACKGROUND, FAINT, INK, MARGIN_PX, ROW_PX, TEXT_PX, Font, fitted

READING = "a row: what the pixels of one class were taken for, in % of them; a dot: less than 0.05 %"

_RIGHT, _WRONG, _EMPTY = (22, 94, 155), (200, 62, 30), (255, 255, 255)
_ABSENT, _GRID = (236, 236, 236), (218, 218, 218)
_LARGE_PX, _SMALL_PX = (60, 40), (50, 30)  # of a cell: width, height
_MANY = 12  # from so many classes on, cells are small
_NAME_PX = 190  # at most, of a class's name
_SWATCH_PX = 14
_SHARE_PX = 75  # of the column that says how common a class is
_LEAST_WIDTH_PX = 640  # for the text above few classes


def draw_confusion(confusion: Counts, space: LabelSpace, *, title: str) -> bytes:
    """Draws a confusion matrix, each row as shares of its own pixels: right ones blue, wrong ones red.

    A class that the truth never has is grey. What was predicted as no class has a column of its own where it occurs.

    Args:
        confusion: int64 [C, C + 1], as `confusion_matrix` gives it, or a sum of several.
        space: names and colours of the C classes.
        title: one line, at the top.

    Returns:
        The bytes of a PNG.
    """
    font = ImageFont.load_default(TEXT_PX)
    columns = [*space.classes, *(["no answer"] if confusion[:, -1].any() else [])]
    width, height = _SMALL_PX if len(space.classes) >= _MANY else _LARGE_PX
    names = [fitted(name, font, _NAME_PX) for name in columns]
    names_px = int(max(font.getlength(name) for name in [*names, "truth"])) + 1
    left = 2 * MARGIN_PX + names_px + MARGIN_PX + _SWATCH_PX + MARGIN_PX
    top = MARGIN_PX + 3 * ROW_PX + MARGIN_PX + names_px + MARGIN_PX
    right = left + len(columns) * width
    panel_width = max(right + _SHARE_PX + 2 * MARGIN_PX, _LEAST_WIDTH_PX)
    panel = Image.new("RGB", (panel_width, top + len(space.classes) * height + 2 * MARGIN_PX + 1), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    for line, (text, ink) in enumerate(((title, INK), (READING, FAINT))):
        shown = fitted(text, font, panel_width - 4 * MARGIN_PX)
        draw.text((2 * MARGIN_PX, MARGIN_PX + line * ROW_PX), shown, ink, font)
    draw.text((left - MARGIN_PX, top - MARGIN_PX), "truth", FAINT, font, anchor="rs")
    draw.text(((left + right) // 2, MARGIN_PX + 3 * ROW_PX - 2), "predicted", FAINT, font, anchor="ms")
    draw.text((right + MARGIN_PX, top - MARGIN_PX), "of pixels", FAINT, font, anchor="ls")
    for column, name in enumerate(names):
        _draw_upright(panel, name, (left + column * width + width // 2, top - MARGIN_PX), font)
    draw.rectangle((left, top, right, top + len(space.classes) * height), _GRID)
    shares = _shares(confusion)
    of_all = confusion.sum(axis=1) / max(int(confusion.sum()), 1)
    for row, label in enumerate(space.palette):
        y = top + row * height
        _draw_head(draw, names[row], label, (left - MARGIN_PX, y + height // 2), font)
        for column in range(len(columns)):
            box = (left + column * width + 1, y + 1, left + (column + 1) * width - 1, y + height - 1)
            _draw_cell(draw, box, float(shares[row, column]), right=row == column, font=font)
        text = "absent" if np.isnan(shares[row, 0]) else f"{100 * of_all[row]:.2f} %"
        draw.text((right + MARGIN_PX, y + height // 2), text, FAINT, font, anchor="lm")
    return encode_png(np.asarray(panel))


def _shares(confusion: Counts) -> NDArray[np.float64]:
    """Each row over its sum, 0 to 1; NaN where that is 0."""
    pixels = confusion.sum(axis=1, keepdims=True)
    shares = np.full(confusion.shape, np.nan)
    return np.divide(confusion, pixels, out=shares, where=pixels > 0)


def _draw_head(
    draw: ImageDraw.ImageDraw, name: str, colour: tuple[int, int, int], place: tuple[int, int], font: Font
) -> None:
    """A class's name and colour, to the left of a place."""
    x, y = place
    half = _SWATCH_PX // 2
    draw.rectangle((x - _SWATCH_PX, y - half, x, y + half), colour, outline=FAINT)
    draw.text((x - _SWATCH_PX - MARGIN_PX, y), name, INK, font, anchor="rm")


def _draw_upright(panel: Image.Image, text: str, foot: tuple[int, int], font: Font) -> None:
    """Text that reads upwards from a place."""
    line = Image.new("RGB", (int(font.getlength(text)) + 1, ROW_PX), BACKGROUND)
    ImageDraw.Draw(line).text((0, ROW_PX // 2), text, INK, font, anchor="lm")
    panel.paste(line.transpose(Image.Transpose.ROTATE_90), (foot[0] - ROW_PX // 2, foot[1] - line.width))


def _draw_cell(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], share: float, *, right: bool, font: Font
) -> None:
    if np.isnan(share):
        draw.rectangle(box, _ABSENT)
        return
    strength = share if right else share**0.5  # errors are small numbers, and they are what is looked for
    colour = _mixed(_RIGHT if right else _WRONG, strength)
    draw.rectangle(box, colour)
    if share == 0:
        return
    text = f"{100 * share:.1f}" if share >= 5e-4 else "·"
    ink = INK if sum(colour) > 3 * 140 else _EMPTY
    draw.text(((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), text, ink, font, anchor="mm")


def _mixed(colour: tuple[int, int, int], strength: float) -> tuple[int, int, int]:
    """White at 0, the colour at 1."""
    red, green, blue = (round(255 + strength * (level - 255)) for level in colour)
    return red, green, blue
