"""Buildings: facades along the street with their windows, doors, shops and roofs, and the walls that close them off."""

from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.camera import FloatArray, Point
from trainer.data.scenes.canvas import Colour, scaled
from trainer.data.scenes.facades import BUILDING_STYLES, BuildingStyle
from trainer.data.scenes.stage import TOWARDS_CAMERA, Footprint, Stage, front, rectangle, wall

_SHOP_M = 3.6
_GLASS: Colour = (62, 74, 88)
_LAMP_LIGHT: Colour = (250, 214, 140)
_AWNINGS: tuple[Colour, ...] = ((168, 52, 46), (44, 96, 74), (52, 74, 132), (196, 152, 60), (92, 84, 84))


@dataclass(frozen=True, kw_only=True)
class Building:
    """One building at the side of the street; lengths in metres.

    Attributes:
        sign: -1 left, 1 right of the street.
        facade_m: from the street's middle to its front, positive.
        span: (near, far) along the street.
        floors: how many rows of windows.
        roof_m: height of the roof over the top floor, 0 for a flat one.
        style: how it looks.
        wall_colour: chosen from the style.
        roof_colour: chosen from the style.
        shop: colour of the awning over a shop at ground level, or None.
    """

    sign: int
    facade_m: float
    span: tuple[float, float]
    floors: int
    roof_m: float
    style: BuildingStyle
    wall_colour: Colour
    roof_colour: Colour
    shop: Colour | None

    @property
    def depth_m(self) -> float:
        """Its far end: what stands before its facade is painted later."""
        return self.span[1]

    @property
    def height_m(self) -> float:
        """Of the walls, without the roof."""
        ground = _SHOP_M - self.style.spacing[1] if self.shop else 0.0
        return ground + self.floors * self.style.spacing[1] + 0.5

    @property
    def footprint(self) -> Footprint:
        """Its whole block."""
        s = (self.sign * self.facade_m, self.sign * (self.facade_m + 10))
        return Footprint(base=rectangle(s, self.span), low_m=0.0, high_m=self.height_m)

    def paint(self, stage: Stage) -> None:
        """Paints roof, the wall across the street, the facade, then what is on the facade."""
        s, (near, far), top = self.sign * self.facade_m, self.span, self.height_m
        back = s + self.sign * 11.0
        outwards: Point = (-self.sign, 0.0, 0.0)
        self._paint_roof(stage, s, back)
        stage.face(front((s, back), (0, top), near), self.wall_colour, "building", TOWARDS_CAMERA)
        self._paint_gable_windows(stage, s, back)
        for start in np.arange(near, far, 6.0):  # in pieces, so that it follows the street's bend
            stage.face(wall(s, (0, top), (start, min(start + 6.0, far))), self.wall_colour, "building", outwards)
        self._paint_windows(stage, s, outwards)
        if self.shop:
            self._paint_shop(stage, s, outwards, self.shop)
        elif stage.detail_px(1.0, near) > 2:
            door = near + 0.35 * (far - near)
            stage.face(wall(s, (0, 2.3), (door, door + 1.1)), (82, 58, 44), "building", outwards)
        trim = scaled(self.wall_colour, 1.12)
        stage.face(wall(s, (top - 0.35, top), (near, far)), trim, "building", outwards)
        stage.face(wall(s, (0.0, 0.5), (near, far)), scaled(self.wall_colour, 0.7), "building", outwards)

    def _paint_roof(self, stage: Stage, s: float, back: float) -> None:
        if self.roof_m == 0:
            return
        (near, far), low, high = self.span, self.height_m, self.height_m + self.roof_m
        ridge = s + self.sign * min(2.6, self.roof_m)
        slope = 0.7071
        plane = [(s, low, near), (s, low, far), (ridge, high, far), (ridge, high, near)]
        gable = [(s, low, near), (ridge, high, near), (back, low, near)]
        stage.face(gable, self.wall_colour, "building", TOWARDS_CAMERA)
        stage.face(plane, self.roof_colour, "building", (-self.sign * slope, slope, 0.0))

    def _window_rows(self) -> FloatArray:
        """Sills' heights, one a floor."""
        _, floor_m = self.style.spacing
        first = _SHOP_M + 0.8 if self.shop else 1.0
        rows = self.floors - 1 if self.shop else self.floors
        return np.array([first + floor_m * row for row in range(rows)])

    def _paint_windows(self, stage: Stage, s: float, outwards: Point) -> None:
        (near, far), (wide, tall) = self.span, self.style.window
        columns = max(1, int((far - near - 0.8) / self.style.spacing[0]))
        spacing = self.style.spacing[0]
        first = near + 0.5 * (far - near - (columns - 1) * spacing - wide)
        lefts = np.array([first + spacing * column for column in range(columns)])
        sills = self._window_rows()
        if stage.detail_px(tall, near) < 1.5 or len(sills) == 0:
            return
        z, y = (grid.ravel() for grid in np.meshgrid(lefts, sills))
        frame = self.style.frame_m
        if frame and stage.detail_px(frame, near) > 0.25:
            lit = stage.weather.shade(scaled(self.wall_colour, 1.2), outwards, (near + far) / 2)
            boxes = _along(s, (y - frame, y + tall + frame), (z - frame, z + wide + frame))
            stage.faces(boxes, [lit] * len(boxes), "building")
        panes = _along(s, (y, y + tall), (z, z + wide))
        stage.faces(panes, self._glass(stage, len(panes), (near + far) / 2), "building")
        if frame and stage.detail_px(wide, near) > 7:  # the bar between the wings of a window
            lit = stage.weather.shade(scaled(self.wall_colour, 1.15), outwards, near)
            bars = _along(s, (y, y + tall), (z + wide / 2 - 0.05, z + wide / 2 + 0.05))
            stage.faces(bars, [lit] * len(bars), "building")

    def _paint_gable_windows(self, stage: Stage, s: float, back: float) -> None:
        near, (wide, tall) = self.span[0], self.style.window
        if stage.detail_px(tall, near) < 3:
            return
        steps = np.arange(2.0, abs(back - s) - 2.0, 3.4)
        right, y = (grid.ravel() for grid in np.meshgrid(s + self.sign * steps, self._window_rows()))
        if len(y):
            depth = np.full_like(y, near)
            corners = [(right, y), (right + wide, y), (right + wide, y + tall), (right, y + tall)]
            panes = np.stack([np.stack((a, b, depth), axis=-1) for a, b in corners], axis=1)
            stage.faces(panes, self._glass(stage, len(panes), near), "building")

    def _glass(self, stage: Stage, count: int, ahead_m: float) -> list[Colour]:
        """Lit colours of so many panes: most reflect street or sky, a few have a blind, some a lamp behind."""
        shade = stage.weather.shade
        sky = stage.weather.haze
        mirror = (
            int(0.6 * _GLASS[0] + 0.4 * sky[0]),
            int(0.6 * _GLASS[1] + 0.4 * sky[1]),
            int(0.6 * _GLASS[2] + 0.4 * sky[2]),
        )
        choices = [shade(scaled(_GLASS, factor), TOWARDS_CAMERA, ahead_m) for factor in (0.7, 1.0, 1.3)]
        choices += [
            shade(mirror, TOWARDS_CAMERA, ahead_m),
            shade((190, 184, 170), TOWARDS_CAMERA, ahead_m),
            _LAMP_LIGHT,
        ]
        lamps = min(0.6, stage.weather.lit_windows)
        weights = np.array([0.3, 0.3, 0.12, 0.18, 0.1, 0.0]) * (1 - lamps)
        weights[-1] = lamps
        return [choices[pick] for pick in stage.rng.choice(len(choices), size=count, p=weights)]

    def _paint_shop(self, stage: Stage, s: float, outwards: Point, awning: Colour) -> None:
        near, far = self.span
        if stage.detail_px(1.0, near) < 1.5:
            return
        starts = np.arange(near + 0.4, far - 2.4, 3.2)
        if len(starts) == 0:
            return
        panes = _along(s, (np.full_like(starts, 0.5), np.full_like(starts, 2.7)), (starts, starts + 2.7))
        stage.faces(panes, self._glass(stage, len(panes), near), "building")
        board = wall(s, (2.85, 3.45), (near + 0.3, far - 0.3))
        stage.face(board, scaled(awning, 0.8), "building", outwards)
        hang = s - self.sign * 1.0
        slant = [(s, 2.9, near + 0.3), (s, 2.9, far - 0.3), (hang, 2.45, far - 0.3), (hang, 2.45, near + 0.3)]
        stage.face(slant, awning, "building", (-self.sign * 0.4, 0.9, 0.0))
        stage.face(wall(hang, (2.2, 2.45), (near + 0.3, far - 0.3)), scaled(awning, 1.2), "building", outwards)


def draw_building(
    rng: np.random.Generator, *, kind: str, sign: int, facade_m: float, span: tuple[float, float], floors: int
) -> Building:
    """Draws the looks of one building; `kind` is a key of `BUILDING_STYLES`."""
    style = BUILDING_STYLES[kind]
    roof = rng.uniform(*style.roof_m)
    return Building(
        sign=sign,
        facade_m=facade_m,
        span=span,
        floors=floors,
        roof_m=roof if roof > 1.0 else 0.0,
        style=style,
        wall_colour=scaled(style.walls[rng.integers(len(style.walls))], rng.uniform(0.8, 1.08)),
        roof_colour=style.roofs[rng.integers(len(style.roofs))],
        shop=_AWNINGS[rng.integers(len(_AWNINGS))] if floors > 1 and rng.random() < style.shop_share else None,
    )


def _along(s: float, y: tuple[FloatArray, FloatArray], z: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Upright rectangles along the street, all at `s`: float64 [n, 4, 3]."""
    across = np.full_like(z[0], s)
    corners = ((y[0], z[0]), (y[0], z[1]), (y[1], z[1]), (y[1], z[0]))
    return np.stack([np.stack((across, up, ahead), axis=-1) for up, ahead in corners], axis=1)
