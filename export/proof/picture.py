"""The proof as a picture: frame | truth | trained network | file | where the two differ. Pillow only, no torch."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from export.proof.camera_reference import reference_stages
from runtime.errors import UsageError
from runtime.overlay import colourise
from runtime.spec import ModelSpec
from trainer.data.images import encode_png
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

DIFFERS_COLOUR = (0, 255, 255)  # far from every colour of the label spaces, and strong over grey
_DIMMED = 0.45  # of the frame's brightness, under the pixels that differ
_FEW_PX = 40  # as many differing pixels of a cell are drawn 5 x 5 each, or nobody would see them
_TITLE_PX = 19
_LEAST_WIDTH_PX = 640  # for the text above narrow frames

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedFrame:
    """One frame and what was said of it.

    Attributes:
        name: of the frame.
        image: uint8 [spec.frame_shape], as the file takes it.
        truth_hw: uint8 [H,W], 255 = ignored; None where nobody knows.
        reference_hw: uint8 [H,W], of the trained network, 255 = no answer.
        candidate_hw: uint8 [H,W], of the file, 255 = no answer.
    """

    name: str
    image: UInt8
    truth_hw: UInt8 | None
    reference_hw: UInt8
    candidate_hw: UInt8

    @property
    def differing_pixels(self) -> int:
        """On how many pixels the two say different things."""
        return int(np.count_nonzero(self.reference_hw != self.candidate_hw))


@dataclass(kw_only=True)
class WorstFrames:
    """Keeps the frames with the most differing pixels of all that are offered, and no more of them than `count`."""

    count: int
    _heap: list[tuple[int, int, ComparedFrame]] = field(default_factory=list)
    _offered: int = 0

    def offer(self, frame: ComparedFrame) -> None:
        """Looks at one more frame."""
        self._offered += 1
        heapq.heappush(self._heap, (frame.differing_pixels, -self._offered, frame))  # of equals, the first is kept
        if len(self._heap) > self.count:
            heapq.heappop(self._heap)

    def frames(self) -> list[ComparedFrame]:
        """The kept frames, the worst first."""
        return [frame for _, _, frame in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def draw_picture(frames: Sequence[ComparedFrame], spec: ModelSpec, *, title: str, notes: Sequence[str] = ()) -> bytes:
    """Draws frames under a title, each with its name and agreement above, and what the colours mean below.

    Args:
        frames: one or more.
        spec: of the file: classes, palette, and the camera whose bytes become RGB here.
        title: one line.
        notes: lines under it, such as what failed.

    Returns:
        The bytes of a PNG.

    Raises:
        UsageError: no frames.
        DataError: a label without a colour.
    """
    if not frames:
        raise UsageError("expected one frame or more to draw, got none; give frames")
    with_truth = any(frame.truth_hw is not None for frame in frames)
    heads = ["frame", *(["truth"] if with_truth else []), "trained network, fp32", "this file", "where they differ"]
    width, height = _cell_size(spec)
    font = ImageFont.load_default(TEXT_PX)
    panel_width = max(MARGIN_PX + len(heads) * (width + MARGIN_PX), _LEAST_WIDTH_PX)
    entries = [
        *zip(spec.palette, spec.classes, strict=True),
        (IGNORED_COLOUR, "ignored, or no answer"),
        (DIFFERS_COLOUR, "differs"),
    ]
    per_line = max(1, (panel_width - MARGIN_PX) // (widest_entry(font, entries) + 40))
    legend_px = -(-len(entries) // per_line) * ROW_PX
    top = 2 * MARGIN_PX + (len(notes) + 2) * ROW_PX
    row_px = ROW_PX + height + MARGIN_PX
    panel = Image.new("RGB", (panel_width, top + len(frames) * row_px + legend_px + 2 * MARGIN_PX), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    room = panel_width - 2 * MARGIN_PX
    draw.text(
        (MARGIN_PX, MARGIN_PX),
        fitted(title, ImageFont.load_default(_TITLE_PX), room),
        INK,
        ImageFont.load_default(_TITLE_PX),
    )
    for line, note in enumerate(notes, start=1):
        draw.text((MARGIN_PX, MARGIN_PX + line * ROW_PX + 4), fitted(note, font, room), INK, font)
    for column, head in enumerate(heads):
        draw.text((MARGIN_PX + column * (width + MARGIN_PX), top - ROW_PX), fitted(head, font, width), FAINT, font)
    for line, frame in enumerate(frames):
        y = top + line * row_px
        _draw_caption(draw, frame, (MARGIN_PX, y), room, font)
        for column, picture in enumerate(_pictures(frame, spec, (width, height), with_truth=with_truth)):
            panel.paste(picture, (MARGIN_PX + column * (width + MARGIN_PX), y + ROW_PX))
    draw_legend(draw, entries, per_line, panel_width, panel.height - MARGIN_PX - legend_px, font)
    return encode_png(np.asarray(panel))


def _cell_size(spec: ModelSpec) -> tuple[int, int]:
    height, width = spec.camera.seen_shape if spec.camera is not None else (spec.height_px, spec.width_px)
    factor = CELL_PX / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _seen_rgb(image: UInt8, spec: ModelSpec) -> UInt8:
    """The part of a frame that the network sees: uint8 RGB [h,w,3]."""
    if spec.camera is None:
        return image
    colour = reference_stages(image, spec.camera, spec.height_px, spec.width_px)["colour"]
    rgb: UInt8 = np.rint(colour).clip(0, 255).astype(np.uint8)
    return rgb


def _draw_caption(
    draw: ImageDraw.ImageDraw, frame: ComparedFrame, place: tuple[int, int], room: int, font: Font
) -> None:
    """The frame's name to the left, how far the two agree right behind it; the name gives way where it is too long."""
    differing, pixels = frame.differing_pixels, frame.reference_hw.size
    text = f"{1 - differing / pixels:.3%} of labels agree, {differing:,} of {pixels:,} pixels differ"
    name = fitted(frame.name, font, room - int(font.getlength(text)) - 2 * MARGIN_PX)
    draw.text((place[0], place[1] + 2), name, INK, font)
    draw.text((place[0] + int(font.getlength(name)) + 2 * MARGIN_PX, place[1] + 2), text, FAINT, font)


def _pictures(
    frame: ComparedFrame, spec: ModelSpec, size_px: tuple[int, int], *, with_truth: bool
) -> list[Image.Image]:
    """The cells of a row, each width x height pixels."""
    seen = np.ascontiguousarray(_seen_rgb(frame.image, spec))
    photo = Image.fromarray(seen).resize(size_px, Image.Resampling.BILINEAR)
    maps = [*([frame.truth_hw] if with_truth else []), frame.reference_hw, frame.candidate_hw]
    labels = [
        Image.new("RGB", size_px, BACKGROUND)
        if labels_hw is None
        else Image.fromarray(colourise(labels_hw, spec.palette, IGNORED_COLOUR)).resize(
            size_px, Image.Resampling.NEAREST
        )
        for labels_hw in maps
    ]
    grey = np.asarray(photo.convert("L"), np.float32) * _DIMMED
    differs = np.repeat(grey[:, :, None], 3, axis=2).round().astype(np.uint8)
    differs[_shrunk_to_any(frame.reference_hw != frame.candidate_hw, size_px)] = DIFFERS_COLOUR
    return [photo, *labels, Image.fromarray(differs)]


def _shrunk_to_any(mask_hw: NDArray[np.bool_], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at another size; a single pixel of it is still seen where it shrinks, however far, and few are grown."""
    # in float, no share of a pixel rounds to nothing; where it grows, the box is the nearest pixel
    picture = Image.fromarray(mask_hw.astype(np.float32)).resize(size_px, Image.Resampling.BOX)
    shrunk: NDArray[np.bool_] = np.asarray(picture) > 0
    if np.count_nonzero(shrunk) <= _FEW_PX:
        shrunk = np.asarray(Image.fromarray(shrunk.astype(np.uint8)).filter(ImageFilter.MaxFilter(5))) > 0
    return shrunk
