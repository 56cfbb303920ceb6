"""What a thing is painted with: camera, light and canvas together, and what every thing must offer.

Everything is given in street coordinates (s, y, z) in metres and in its own colour; the stage projects and lights it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trainer.data.scenes.camera import NEAR_M, Camera, FloatArray, Point
from trainer.data.scenes.canvas import Canvas, Colour
from trainer.data.scenes.noise import NoiseArray
from trainer.data.scenes.weather import Weather

TOWARDS_CAMERA: Point = (0.0, 0.0, -1.0)
UP: Point = (0.0, 1.0, 0.0)

_OCTAGON = tuple((math.cos(turn * math.pi / 4), math.sin(turn * math.pi / 4)) for turn in range(8))


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What throws a shadow: an upright prism.

    Attributes:
        base: convex outline on the ground as (s, z).
        low_m: height at which it begins.
        high_m: height at which it ends.
    """

    base: Sequence[tuple[float, float]]
    low_m: float
    high_m: float


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Camera, light, canvas, and the random numbers for detail that no layout decides.

    Attributes:
        camera: projects.
        weather: lights.
        canvas: is painted on.
        rng: for detail.
        foliage: square noise fields that the crowns of this scene are cut from.
    """

    camera: Camera
    weather: Weather
    canvas: Canvas
    rng: np.random.Generator
    foliage: tuple[NoiseArray, ...]

    def face(self, corners: Sequence[Point], colour: Colour, name: str, normal: Point) -> None:
        """Paints one flat face.

        Args:
            corners: street coordinates (s, y, z).
            colour: the surface's own RGB, 0..255.
            name: Cityscapes name.
            normal: unit vector out of the face.
        """
        lit = self.weather.shade(colour, normal, sum(corner[2] for corner in corners) / len(corners))
        self.canvas.polygon(self.camera.outline(corners), lit, name)

    def glow(self, corners: Sequence[Point], colour: Colour, name: str) -> None:
        """Paints one flat face that shines by itself, whatever the weather."""
        self.canvas.polygon(self.camera.outline(corners), colour, name)

    def faces(self, corners: FloatArray, colours: Sequence[Colour], name: str) -> None:
        """Paints many faces, already lit, in one go: `corners` float64 [m, n, 3], `colours` one RGB each."""
        projected = self.camera.project(corners)
        for points, colour in zip(projected.reshape(len(corners), -1).tolist(), colours, strict=True):
            self.canvas.polygon(points, colour, name)

    def upright(
        self, foot: tuple[float, float], outline: Sequence[tuple[float, float]], colour: Colour, name: str
    ) -> None:
        """Paints a flat shape that stands at `foot` (s, z) and faces the camera.

        Args:
            foot: (s, z) of its origin, in metres.
            outline: corners as (to the right of the foot, height over the road), in metres.
            colour: the surface's own RGB, 0..255.
            name: Cityscapes name.
        """
        s, z = foot
        self.face([(s + right, y, z) for right, y in outline], colour, name, TOWARDS_CAMERA)

    def disc(self, centre: Point, radius_m: tuple[float, float], colour: Colour, name: str) -> None:
        """Paints an ellipse that faces the camera; `radius_m` is (across, up)."""
        column, row = self.camera.outline([centre])
        scale = self.camera.pixels_per_m(centre[2])
        lit = self.weather.shade(colour, TOWARDS_CAMERA, centre[2])
        self.canvas.ellipse((column, row), (radius_m[0] * scale, radius_m[1] * scale), lit, name)

    def in_view(self, footprint: Footprint, margin_m: float) -> bool:
        """Whether what stands on a footprint, or within `margin_m` beside it, can be in the picture."""
        corners = footprint.base
        left = self.camera.outline((s - margin_m, 0.0, z) for s, z in corners)[0::2]
        right = self.camera.outline((s + margin_m, 0.0, z) for s, z in corners)[0::2]
        return max(right) > 0 and min(left) < self.camera.side_px and max(z for _, z in corners) > NEAR_M

    def detail_px(self, size_m: float, ahead_m: float) -> float:
        """Returns how many final pixels a detail takes, for leaving out those that nobody could see."""
        return size_m * self.camera.pixels_per_m(ahead_m) / self.canvas.oversampling


class Thing(Protocol):
    """Anything that stands in the street."""

    @property
    def depth_m(self) -> float:
        """The distance that decides the order of painting: larger is painted earlier."""
        ...

    @property
    def footprint(self) -> Footprint | None:
        """What throws its shadow, or None."""
        ...

    def paint(self, stage: Stage) -> None:
        """Paints it."""
        ...


def rectangle(s: tuple[float, float], z: tuple[float, float]) -> list[tuple[float, float]]:
    """Returns the corners of a ground rectangle as (s, z)."""
    return [(s[0], z[0]), (s[1], z[0]), (s[1], z[1]), (s[0], z[1])]


def round_base(foot: tuple[float, float], radius_m: float) -> list[tuple[float, float]]:
    """Returns the corners of an octagon around `foot` (s, z)."""
    s, z = foot
    return [(s + radius_m * cos, z + radius_m * sin) for cos, sin in _OCTAGON]


def wall(s: float, y: tuple[float, float], z: tuple[float, float]) -> list[Point]:
    """Returns the corners of an upright rectangle along the street."""
    return [(s, y[0], z[0]), (s, y[0], z[1]), (s, y[1], z[1]), (s, y[1], z[0])]


def front(s: tuple[float, float], y: tuple[float, float], z: float) -> list[Point]:
    """Returns the corners of an upright rectangle across the street."""
    return [(s[0], y[0], z), (s[1], y[0], z), (s[1], y[1], z), (s[0], y[1], z)]
