"""Cars, vans, buses and trucks: a side profile drawn out to the vehicle's width, with glass, wheels and lamps."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.bodies import BODIES, Body, Outline
from trainer.data.scenes.camera import Camera, Point
from trainer.data.scenes.canvas import Colour
from trainer.data.scenes.stage import TOWARDS_CAMERA, Footprint, Stage

_PAINTS: tuple[Colour, ...] = (
    (226, 228, 230), (30, 32, 36), (62, 64, 68), (140, 144, 148), (176, 180, 184), (112, 26, 30), (178, 30, 34),
    (32, 58, 116), (54, 96, 160), (44, 72, 58), (156, 132, 96), (198, 158, 40),
)  # fmt: skip
_LIVERIES: tuple[Colour, ...] = (
    (196, 48, 42),
    (226, 190, 52),
    (226, 226, 222),
    (40, 112, 150),
    (70, 138, 80),
    (214, 112, 40),
)
_GLASS: Colour = (40, 50, 60)
_TYRE: Colour = (24, 24, 25)
_RIM: Colour = (136, 138, 142)
_TRIM: Colour = (38, 38, 40)
_PLATE: Colour = (226, 222, 200)
_RED_LAMP: Colour = (176, 22, 24)
_WHITE_LAMP: Colour = (236, 236, 222)
_BRAKE_LIGHT: Colour = (255, 64, 52)
_HEADLIGHT: Colour = (255, 250, 226)


_RING = tuple((math.cos(turn), math.sin(turn)) for turn in np.linspace(0, 2 * math.pi, 14, endpoint=False).tolist())


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """One vehicle on the road; lengths in metres. Its own coordinates are (along, to the right, up).

    Attributes:
        body: its shape.
        middle: (s, z) of its middle.
        heading: direction of its front in radians: 0 ahead, pi towards the camera, pi / 2 to the right.
        colour: of its paint.
        braking: whether its rear lamps shine.
    """

    body: Body
    middle: tuple[float, float]
    heading: float
    colour: Colour
    braking: bool

    @property
    def depth_m(self) -> float:
        """Its near end: what it stands before is painted earlier."""
        return min(z for _, _, z in self._outlined())

    @property
    def footprint(self) -> Footprint:
        """The rectangle it stands on."""
        base = [(s, z) for s, _, z in self._outlined()]
        return Footprint(base=base, low_m=0.15, high_m=self.body.height)

    def paint(self, stage: Stage) -> None:
        """Paints tyres, then the body's faces from far to near, then wheels and lamps."""
        for along, radius in self.body.wheels:
            for sign in (-1, 1):
                self._paint_tread(stage, along, radius, sign)
        seen = [(kind, placed) for kind, placed in self._faces() if _faces_camera(stage.camera, placed)]
        seen.sort(key=lambda face: -sum(corner[2] for corner in face[1]) / len(face[1]))
        for kind, placed in seen:
            self._paint_face(stage, kind, placed)
        if stage.detail_px(0.3, self.depth_m) > 0.7:
            self._paint_ends(stage)

    def _outlined(self) -> list[Point]:
        half_length, half = self.body.length / 2, self.body.width / 2
        corners = ((-half_length, -half), (-half_length, half), (half_length, half), (half_length, -half))
        return self._place((along, right, 0.0) for along, right in corners)

    def _place(self, local: Iterable[Point]) -> list[Point]:
        """Turns its own coordinates into street coordinates."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        s, z = self.middle
        return [(s + along * sin + right * cos, up, z + along * cos - right * sin) for along, right, up in local]

    def _half_width(self, up: float) -> float:
        """Half the width at a height: full up to the belt, then leaning in to the roof."""
        body = self.body
        lean = max(0.0, (up - body.belt_m) / (body.height - body.belt_m))
        return body.width / 2 * (1.0 - (1.0 - body.taper) * lean)

    def _side(self, outline: Outline, sign: int) -> list[Point]:
        """Puts an outline (along, up) on one side: sign -1 left, 1 right."""
        return self._place((along, sign * self._half_width(up), up) for along, up in outline)

    def _faces(self) -> list[tuple[str, list[Point]]]:
        """All faces as (kind, corners); corners go round counter-clockwise as seen from outside."""
        profile = self.body.profile
        faces = []
        for i, ((a, up_a), (b, up_b)) in enumerate(itertools.pairwise(profile)):
            wa, wb = self._half_width(up_a), self._half_width(up_b)
            strip = self._place(((a, -wa, up_a), (a, wa, up_a), (b, wb, up_b), (b, -wb, up_b)))
            faces.append(("glass" if i in self.body.glazed else "paint", strip))
        faces.append(("left", self._side(profile, -1)))
        faces.append(("right", self._side(profile[::-1], 1)))
        return faces

    def _paint_face(self, stage: Stage, kind: str, placed: list[Point]) -> None:
        normal = _normal(stage.camera, placed)
        name = self.body.name
        stage.face(placed, self.colour, name, normal)
        if kind == "paint":
            return
        if kind == "glass":
            stage.face(_inset(placed, 0.87), _glass(stage), name, normal)
            return
        sign = -1 if kind == "left" else 1
        for window in self.body.side_windows:
            stage.face(self._side(window, sign), _glass(stage), name, normal)
        end = self.body.length / 2 - 0.2
        sill: Outline = ((-end, 0.3), (-end, 0.42), (end, 0.42), (end, 0.3))
        stage.face(self._side(sill, sign), _TRIM, name, normal)
        for along, radius in self.body.wheels:
            for share, colour in ((1.0, _TYRE), (0.62, _RIM)):
                reach = radius * share
                ring = tuple((along + reach * cos, radius + reach * sin) for cos, sin in _RING)
                stage.face(self._side(ring, sign), colour, name, normal)

    def _paint_tread(self, stage: Stage, along: float, radius: float, sign: int) -> None:
        """Paints a tyre as seen from behind or before, down to the road; the body covers what it hides."""
        outer, inner = sign * (self.body.width / 2 - 0.02), sign * (self.body.width / 2 - 0.24)
        for end in (along - radius * 0.8, along + radius * 0.8):
            tread = ((end, outer, 0.0), (end, inner, 0.0), (end, inner, 2 * radius), (end, outer, 2 * radius))
            stage.face(self._place(tread), _TYRE, self.body.name, (0.0, 0.0, 0.0))

    def _paint_ends(self, stage: Stage) -> None:
        """Paints bumper, plate and lamps on the end that looks at the camera."""
        facing = math.cos(self.heading)
        if abs(facing) < 0.5:
            return
        body, rear = self.body, facing > 0
        end = (min if rear else max)(along for along, _ in body.profile)
        half, low, lamp = body.width / 2, body.bumper_m, body.lamp_m
        parts: list[tuple[float, float, tuple[float, float], Colour]] = [
            (-half * 0.95, half * 0.95, (low - 0.12, low + 0.06), _TRIM),
            (-0.28, 0.28, (low + 0.1, low + 0.22), _PLATE),
        ]
        if not rear:
            parts.insert(1, (-half * 0.45, half * 0.45, (lamp[0] - 0.02, lamp[1] - 0.06), _TYRE))
        for left, right, (bottom, top), colour in parts:
            corners = self._place(((end, left, bottom), (end, right, bottom), (end, right, top), (end, left, top)))
            stage.face(corners, colour, body.name, TOWARDS_CAMERA)
        shining = self.braking if rear else stage.weather.lit_windows > 0.15
        for left, right in ((-half * 0.96, -half * 0.66), (half * 0.66, half * 0.96)):
            corners = self._place(
                ((end, left, lamp[0]), (end, right, lamp[0]), (end, right, lamp[1]), (end, left, lamp[1]))
            )
            if shining:
                stage.glow(corners, _BRAKE_LIGHT if rear else _HEADLIGHT, body.name)
            else:
                stage.face(corners, _RED_LAMP if rear else _WHITE_LAMP, body.name, TOWARDS_CAMERA)


def draw_vehicle(rng: np.random.Generator, kind: str, middle: tuple[float, float], heading: float) -> Vehicle:
    """Draws the colour of one vehicle; `kind` is a key of `BODIES`."""
    body = BODIES[kind]
    paints = _PAINTS if body.name == "car" else _LIVERIES
    paint = paints[rng.integers(len(paints))]
    return Vehicle(body=body, middle=middle, heading=heading, colour=paint, braking=bool(rng.random() < 0.4))


def draw_car_kind(rng: np.random.Generator) -> str:
    """Draws a key of `BODIES` that is a car."""
    return ("hatchback", "saloon", "estate", "van")[rng.choice(4, p=(0.38, 0.28, 0.24, 0.10))]


def _glass(stage: Stage) -> Colour:
    sky = stage.weather.haze
    return (3 * _GLASS[0] + sky[0]) // 4, (3 * _GLASS[1] + sky[1]) // 4, (3 * _GLASS[2] + sky[2]) // 4


def _inset(corners: list[Point], share: float) -> list[Point]:
    """Shrinks a face towards its middle."""
    s0, y0, z0 = (sum(parts) / len(corners) for parts in zip(*corners, strict=True))
    return [(s0 + (s - s0) * share, y0 + (y - y0) * share, z0 + (z - z0) * share) for s, y, z in corners]


def _faces_camera(camera: Camera, corners: list[Point]) -> bool:
    """Whether projected corners go round counter-clockwise as seen; rows grow downwards."""
    flat = camera.outline(corners)
    columns, rows = flat[0::2], flat[1::2]
    twice_area = sum(columns[i - 1] * rows[i] - columns[i] * rows[i - 1] for i in range(len(rows)))
    return twice_area < 0


def _normal(camera: Camera, corners: list[Point]) -> Point:
    """Returns the unit normal of a face on the camera's side."""
    (s0, y0, z0), (s1, y1, z1), (s2, y2, z2) = corners[:3]
    a, b = (s1 - s0, y1 - y0, z1 - z0), (s2 - s0, y2 - y0, z2 - z0)
    n = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    length = math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) or 1.0
    away = n[0] * (s0 - camera.lateral_m) + n[1] * (y0 - camera.height_m) + n[2] * z0
    scale = (-1.0 if away > 0 else 1.0) / length
    return n[0] * scale, n[1] * scale, n[2] * scale
