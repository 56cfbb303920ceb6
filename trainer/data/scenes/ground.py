"""The ground: road, markings, parking lanes, kerbs, pavements, verges, side streets, and the shadows on them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from trainer.data.scenes.backdrop import FAR_M
from trainer.data.scenes.camera import FloatArray, Point
from trainer.data.scenes.canvas import Colour
from trainer.data.scenes.stage import UP, Footprint, Stage

KERB_M = 0.13
LANE_M = 3.3

_SHADOWS_END_M = 70.0  # beyond, a shadow is less than a pixel high
_STEPS_M = np.array([1.0, 1.6, 2.4, 3.4, 4.8, 6.5, 9, 12, 16, 21, 28, 37, 50, 67, 90, 120, FAR_M])
_MARKING: Colour = (222, 222, 214)
_MARKING_HALF_M = 0.08


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of the street, from the kerb outwards; lengths in metres, colours RGB.

    Attributes:
        sign: -1 left, 1 right.
        verge_m: width of the grass between kerb and pavement, 0 for none.
        pavement_m: width of the pavement.
        garden_m: width of what lies between pavement and buildings.
        garden: Cityscapes name of that, "terrain" or "sidewalk".
        pavement_colour: the pavement's own colour.
        grass_colour: the grass's own colour.
    """

    sign: int
    verge_m: float
    pavement_m: float
    garden_m: float
    garden: str
    pavement_colour: Colour
    grass_colour: Colour


@dataclass(frozen=True, kw_only=True)
class Street:
    """The street's cross-section and what is painted on it; lengths in metres.

    Attributes:
        lanes: driving lanes in each direction.
        parking_m: width of the parking lane on both sides, 0 for none.
        parking_name: "parking" where the lane has its own surface, else "road".
        sides: left, right.
        asphalt: the road's own colour.
        crossing_m: distance to a junction with stop line and zebra crossing, or None.
        edge_lines: whether lines run along the lanes' outer edges.
        patches: repairs of the surface as (s, z, width, length, brightness).
    """

    lanes: int
    parking_m: float
    parking_name: str
    sides: tuple[Side, Side]
    asphalt: Colour
    crossing_m: float | None
    edge_lines: bool
    patches: tuple[tuple[float, float, float, float, float], ...]

    @property
    def lanes_half_m(self) -> float:
        """From the street's middle to the outer edge of its driving lanes."""
        return self.lanes * LANE_M

    @property
    def half_m(self) -> float:
        """From the street's middle to the kerb."""
        return self.lanes_half_m + self.parking_m

    @property
    def junction_m(self) -> tuple[float, float]:
        """Where the side street begins and ends, beyond everything where there is none."""
        if self.crossing_m is None:
            return FAR_M, FAR_M
        return self.crossing_m + 5.0, self.crossing_m + 14.0

    def facade_m(self, side: Side) -> float:
        """From the street's middle to the buildings of a side, positive."""
        return self.half_m + side.verge_m + side.pavement_m + side.garden_m


def paint_ground(stage: Stage, street: Street) -> None:
    """Paints the ground from the bottom of the picture to the horizon."""
    _paint_strip(stage, (-400, 400), (1.0, FAR_M), (96, 104, 70), "terrain", 0.0)
    start, end = street.junction_m
    for side in street.sides:
        for span in ((1.0, start), (end, FAR_M)):
            if span[0] < span[1]:
                _paint_side(stage, street, side, span)
        if street.crossing_m is not None:
            across = _ordered(side.sign * street.half_m, side.sign * 70)
            _paint_strip(stage, across, (start, end), street.asphalt, "road", 0.0)
    half = street.half_m
    _paint_strip(stage, (-half, half), (1.0, FAR_M), street.asphalt, "road", 0.0)
    _paint_surface_marks(stage, street)
    _paint_markings(stage, street)


def paint_shadows(stage: Stage, street: Street, footprints: Sequence[Footprint]) -> None:
    """Darkens the ground where things keep the sun off it, and a little right under them.

    A shadow lies as high as the ground under the thing that throws it: pavement or road.
    """
    weather, camera = stage.weather, stage.camera
    half = Image.new("L", (camera.side_px // 2, camera.side_px // 2), 255)
    draw = ImageDraw.Draw(half)
    footprints = [footprint for footprint in footprints if footprint.base[0][1] < _SHADOWS_END_M]
    sun_s, sun_y, sun_z = weather.sun
    lean = (-sun_s / sun_y, -sun_z / sun_y)
    in_shadow = int(255 * (1.0 - 0.9 * weather.shadow))
    for footprint in footprints if weather.shadow > 0.05 else ():
        for outline in _shadow(footprint, lean, _level(street, footprint)):
            draw.polygon([place / 2 for place in camera.outline(outline)], fill=in_shadow)
    for footprint in footprints:
        if footprint.low_m < 0.5:
            under = camera.outline((s, _level(street, footprint), z) for s, z in footprint.base)
            draw.polygon([place / 2 for place in under], fill=min(in_shadow, 110))
    stage.canvas.darken(half.filter(ImageFilter.GaussianBlur(camera.side_px / 400)))


def _level(street: Street, footprint: Footprint) -> float:
    return KERB_M if abs(footprint.base[0][0]) > street.half_m else 0.0


def _shadow(footprint: Footprint, lean: tuple[float, float], level_m: float) -> list[list[Point]]:
    """Ground outlines that cover a prism's shadow: its two ends, and what lies between them edge by edge."""
    low, high = (
        [(s + lean[0] * height, level_m, z + lean[1] * height) for s, z in footprint.base]
        for height in (footprint.low_m, footprint.high_m)
    )
    count = len(low)
    bridges = [[low[i], low[(i + 1) % count], high[(i + 1) % count], high[i]] for i in range(count)]
    return [low, high, *bridges]


def _paint_side(stage: Stage, street: Street, side: Side, span: tuple[float, float]) -> None:
    """Paints verge, pavement and garden of one side, then the kerb's upright face."""
    edge = street.half_m
    strips = (
        (side.verge_m, side.grass_colour, "terrain"),
        (side.pavement_m, side.pavement_colour, "sidewalk"),
        (side.garden_m + 60.0, side.grass_colour if side.garden == "terrain" else side.pavement_colour, side.garden),
    )
    for width, colour, name in strips:
        if width > 0:
            across = _ordered(side.sign * edge, side.sign * (edge + width))
            _paint_strip(stage, across, span, colour, name, KERB_M)
        edge += width
    kerb: Colour = (150, 148, 142)
    _paint_strip(
        stage, _ordered(side.sign * street.half_m, side.sign * (street.half_m + 0.16)), span, kerb, "sidewalk", KERB_M
    )
    steps, s = _steps(span).tolist(), side.sign * street.half_m
    upright = [(s, 0.0, z) for z in steps] + [(s, KERB_M, z) for z in reversed(steps)]
    stage.face(upright, (112, 110, 106), "sidewalk", (-side.sign, 0, 0))


def _paint_strip(
    stage: Stage, across: tuple[float, float], span: tuple[float, float], colour: Colour, name: str, height_m: float
) -> None:
    """Paints a level strip along the street, following its bend; nearer pieces keep less haze."""
    steps = _steps(span).tolist()
    left, right = across
    for near, far in itertools.pairwise(steps):
        corners = [(left, height_m, near), (right, height_m, near), (right, height_m, far), (left, height_m, far)]
        stage.face(corners, colour, name, UP)


def _steps(span: tuple[float, float]) -> FloatArray:
    inside = _STEPS_M[(span[0] < _STEPS_M) & (span[1] > _STEPS_M)]
    return np.concatenate(([span[0]], inside, [span[1]])) if span[1] > span[0] else np.empty(0)


def _ordered(one: float, other: float) -> tuple[float, float]:
    return min(one, other), max(one, other)


def _paint_surface_marks(stage: Stage, street: Street) -> None:
    """Paints the parking lanes, repairs, and the paler tracks of wheels."""
    if street.parking_m > 0:
        colour = (126, 116, 108) if street.parking_name == "parking" else street.asphalt
        for sign in (-1, 1):
            across = _ordered(sign * street.lanes_half_m, sign * street.half_m)
            for span in ((1.0, street.junction_m[0] - 8), (street.junction_m[1], FAR_M)):
                _paint_strip(stage, across, span, colour, street.parking_name, 0.0)
    for s, z, width, length, brightness in street.patches:
        red, green, blue = (int(min(255, part * brightness)) for part in street.asphalt)
        _paint_strip(stage, (s, s + width), (z, z + length), (red, green, blue), "road", 0.0)


def _paint_markings(stage: Stage, street: Street) -> None:
    """Paints lane lines, edge lines, stop line and zebra crossing."""
    _, end = street.junction_m
    solid_until = (street.crossing_m or FAR_M) - 4.0
    half = _MARKING_HALF_M
    if street.edge_lines:
        for s in (-street.lanes_half_m + 0.25, street.lanes_half_m - 0.25):
            for span in ((1.0, solid_until), (end, FAR_M)):
                _paint_strip(stage, (s - half, s + half), span, _MARKING, "road", 0.0)
    for lane in range(-street.lanes + 1, street.lanes):
        s = lane * LANE_M
        for z in np.arange(1.5, 110, 7.0):
            if z + 3 < solid_until or z > end:
                _paint_strip(stage, (s - half, s + half), (z, z + 3), _MARKING, "road", 0.0)
    if street.crossing_m is not None:
        z = street.crossing_m
        _paint_strip(stage, (0.1, street.lanes_half_m), (z - 2.4, z - 1.9), _MARKING, "road", 0.0)
        for s in np.arange(-street.half_m + 0.3, street.half_m - 0.5, 1.1):
            _paint_strip(stage, (s, s + 0.55), (z, z + 3.2), _MARKING, "road", 0.0)
