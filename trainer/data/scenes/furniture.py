"""Poles and what hangs on them: street lamps, traffic signs, traffic lights, sign gantries, bollards."""

from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.canvas import Colour, scaled
from trainer.data.scenes.ground import KERB_M
from trainer.data.scenes.stage import TOWARDS_CAMERA, Footprint, Stage, front, round_base

_STEEL: tuple[Colour, ...] = ((128, 132, 134), (96, 100, 102), (70, 76, 74), (150, 150, 146))
_RED: Colour = (190, 32, 38)
_BLUE: Colour = (26, 74, 158)
_WHITE: Colour = (236, 236, 232)
_YELLOW: Colour = (236, 190, 30)
_LENSES: tuple[tuple[Colour, Colour], ...] = (
    ((255, 60, 48), (56, 20, 18)),
    ((255, 190, 60), (60, 46, 18)),
    ((70, 255, 150), (16, 54, 36)),
)

SIGN_SHAPES = ("round", "triangle", "square", "diamond", "board")


@dataclass(frozen=True, kw_only=True)
class Pole:
    """An upright pole; lengths in metres.

    Attributes:
        foot: (s, z).
        height_m: over the pavement.
        width_m: its thickness.
        colour: its own colour.
        arm_m: length of an arm with a lamp at the top; positive to the right, 0 for none.
        signs: what hangs on it as (shape, middle's height, half its size), shapes from `SIGN_SHAPES`.
        light: which lens of a traffic light is on (0 red, 1 yellow, 2 green), or None without one.
        light_m: middle's height of the traffic light's box.
    """

    foot: tuple[float, float]
    height_m: float
    width_m: float
    colour: Colour
    arm_m: float = 0.0
    signs: tuple[tuple[str, float, float], ...] = ()
    light: int | None = None
    light_m: float = 2.7

    @property
    def depth_m(self) -> float:
        """Where it stands."""
        return self.foot[1]

    @property
    def footprint(self) -> Footprint:
        """The pole alone."""
        return Footprint(base=round_base(self.foot, self.width_m), low_m=0.0, high_m=self.height_m)

    def paint(self, stage: Stage) -> None:
        """Paints the pole, its arm, then what hangs on it."""
        top, half = KERB_M + self.height_m, self.width_m / 2
        stage.upright(self.foot, _box((-half, half), (KERB_M, top)), self.colour, "pole")
        stage.upright(self.foot, _box((-half * 1.5, half * 1.5), (KERB_M, KERB_M + 0.35)), self.colour, "pole")
        sunny = half * (1 if stage.weather.sun[0] > 0 else -1)
        pale = scaled(self.colour, 1.25)
        stage.upright(self.foot, _box(sorted((0.25 * sunny, sunny)), (KERB_M, top)), pale, "pole")
        if self.arm_m:
            self._paint_arm(stage, top)
        if self.light is not None:
            hang = self.arm_m if abs(self.arm_m) > 2.5 and self.light_m > 4 else 0.0
            self._paint_light(stage, self.light, hang)
        for shape, height, half_size in self.signs:
            _paint_sign(stage, (self.foot[0], self.foot[1] - 0.1), shape, height, half_size)

    def _paint_arm(self, stage: Stage, top: float) -> None:
        thick, reach = max(0.09, self.width_m * 0.55), self.arm_m
        stage.upright(
            self.foot,
            [(0, top - thick), (reach, top + 0.25 - thick), (reach, top + 0.25), (0, top)],
            self.colour,
            "pole",
        )
        if self.light is None:
            lamp = np.sign(reach) * 0.45
            glow: Colour = (255, 236, 190) if stage.weather.lit_windows > 0.15 else self.colour
            stage.upright(
                self.foot, _box(sorted((reach - lamp, reach + lamp)), (top + 0.08, top + 0.3)), self.colour, "pole"
            )
            stage.upright(
                self.foot,
                _box(sorted((reach - lamp * 0.8, reach + lamp * 0.8)), (top + 0.05, top + 0.13)),
                glow,
                "pole",
            )

    def _paint_light(self, stage: Stage, lens_on: int, hang: float) -> None:
        s, z = self.foot[0] + hang, self.foot[1] - 0.15
        middle = self.light_m
        back: Colour = (36, 38, 38)
        stage.upright((s, z), _box((-0.3, 0.3), (middle - 0.7, middle + 0.7)), back, "traffic light")
        for lens, (on, off) in enumerate(_LENSES):
            centre = (s, middle + 0.43 * (1 - lens), z)
            if lens == lens_on:  # a lamp shines by itself, whatever the weather
                column, row = stage.camera.outline([centre])
                radius = 0.19 * stage.camera.pixels_per_m(z)
                stage.canvas.ellipse((column, row), (radius, radius), on, "traffic light")
            else:
                stage.disc(centre, (0.17, 0.17), off, "traffic light")


@dataclass(frozen=True, kw_only=True)
class Gantry:
    """Direction signs on a beam over the road; lengths in metres.

    Attributes:
        half_m: from the street's middle to its posts.
        depth_m: distance.
        boards: signs as (middle's s, width, height, colour).
    """

    half_m: float
    depth_m: float
    boards: tuple[tuple[float, float, float, Colour], ...]

    @property
    def footprint(self) -> Footprint | None:
        """Too slim to matter."""
        return None

    def paint(self, stage: Stage) -> None:
        """Paints the posts, the beam, then the boards."""
        steel, z, beam = _STEEL[0], self.depth_m, 6.4
        for s in (-self.half_m, self.half_m):
            stage.upright((s, z), _box((-0.17, 0.17), (KERB_M, beam + 0.4)), steel, "pole")
        stage.face(front((-self.half_m, self.half_m), (beam, beam + 0.4), z), steel, "pole", TOWARDS_CAMERA)
        for s, wide, tall, colour in self.boards:
            for inset, paint in ((0.0, _WHITE), (0.1, colour)):
                box = front(
                    (s - wide / 2 + inset, s + wide / 2 - inset),
                    (beam + 0.9 - tall + inset, beam + 0.9 - inset),
                    z - 0.2,
                )
                stage.face(box, paint, "traffic sign", TOWARDS_CAMERA)
            for line in range(int(tall / 0.7)):
                y = beam + 0.35 - 0.65 * line
                text = front((s - wide * 0.36, s + wide * 0.22), (y - 0.16, y + 0.1), z - 0.2)
                stage.face(text, _WHITE, "traffic sign", TOWARDS_CAMERA)


def draw_lamp(rng: np.random.Generator, foot: tuple[float, float]) -> Pole:
    """Draws a street lamp whose arm reaches over the road."""
    arm = -float(np.sign(foot[0])) * rng.uniform(1.2, 2.2) if rng.random() < 0.8 else 0.0
    return Pole(
        foot=foot,
        height_m=rng.uniform(5.5, 8.5),
        width_m=rng.uniform(0.28, 0.42),
        colour=_STEEL[rng.integers(len(_STEEL))],
        arm_m=arm,
    )


def draw_sign_post(rng: np.random.Generator, foot: tuple[float, float]) -> Pole:
    """Draws a post with one or two traffic signs."""
    half = rng.uniform(0.42, 0.62)
    height = rng.uniform(2.2, 2.9)
    signs = [(SIGN_SHAPES[rng.integers(len(SIGN_SHAPES))], height, half)]
    if rng.random() < 0.35:
        signs.append(("board", height - 1.0 - 0.3 * half, half * 0.8))
    return Pole(foot=foot, height_m=height + 0.3, width_m=rng.uniform(0.17, 0.25), colour=_STEEL[0], signs=tuple(signs))


def draw_traffic_light(rng: np.random.Generator, foot: tuple[float, float], lens: int, *, overhead: bool) -> Pole:
    """Draws a post with a traffic light, at its top or at the end of an arm over the road."""
    arm = -float(np.sign(foot[0])) * rng.uniform(3.2, 4.6) if overhead else 0.0
    return Pole(
        foot=foot,
        height_m=5.6 if overhead else 3.0,
        width_m=0.34 if overhead else 0.24,
        colour=_STEEL[rng.integers(len(_STEEL))],
        arm_m=arm,
        light=lens,
        light_m=5.3 if overhead else 2.7,
    )


def draw_gantry(rng: np.random.Generator, half_m: float, ahead_m: float) -> Gantry:
    """Draws a sign gantry over the road."""
    count = int(rng.integers(1, 3))
    places = np.linspace(-half_m, half_m, count + 2)[1:-1].tolist()
    boards = tuple(
        (s, rng.uniform(2.4, 3.4), rng.uniform(1.3, 2.0), (_BLUE, (22, 104, 74), _YELLOW)[rng.integers(3)])
        for s in places
    )
    return Gantry(half_m=half_m, depth_m=ahead_m, boards=boards)


def draw_bollards(rng: np.random.Generator, s: float, start_m: float) -> list[Pole]:
    """Draws a row of bollards along the kerb."""
    colour = _STEEL[rng.integers(len(_STEEL))]
    return [
        Pole(foot=(s, start_m + 1.7 * step), height_m=0.95, width_m=0.26, colour=colour)
        for step in range(rng.integers(3, 8))
    ]


def _paint_sign(stage: Stage, foot: tuple[float, float], shape: str, height: float, half: float) -> None:
    rim: Colour
    inner: Colour
    if shape == "round":
        for radius, colour in ((half, _RED), (half * 0.7, _WHITE)):
            stage.disc((foot[0], height, foot[1]), (radius, radius), colour, "traffic sign")
        outlines: list[tuple[list[tuple[float, float]], Colour]] = [
            (_box((-half * 0.3, half * 0.3), (height - 0.3 * half, height + 0.3 * half)), (40, 40, 40))
        ]
    elif shape == "triangle":
        outer = [(-half * 1.1, height - half * 0.8), (half * 1.1, height - half * 0.8), (0.0, height + half * 1.1)]
        inside = [(right * 0.62, height - 0.05 + (y - height) * 0.6) for right, y in outer]
        outlines = [(outer, _RED), (inside, _WHITE)]
    elif shape == "diamond":
        outer = [(-half * 1.1, height), (0.0, height - half * 1.1), (half * 1.1, height), (0.0, height + half * 1.1)]
        outlines = [(outer, _WHITE), ([(right * 0.72, height + (y - height) * 0.72) for right, y in outer], _YELLOW)]
    else:
        tall = half if shape == "square" else half * 0.55
        rim, inner = (_WHITE, _BLUE) if shape == "square" else (_BLUE, _WHITE)
        outlines = [
            (_box((-half, half), (height - tall, height + tall)), rim),
            (_box((-half * 0.86, half * 0.86), (height - tall * 0.84, height + tall * 0.84)), inner),
        ]
    for outline, colour in outlines:
        stage.upright(foot, outline, colour, "traffic sign")


def _box(right: tuple[float, float] | list[float], y: tuple[float, float]) -> list[tuple[float, float]]:
    return [(right[0], y[0]), (right[1], y[0]), (right[1], y[1]), (right[0], y[1])]
