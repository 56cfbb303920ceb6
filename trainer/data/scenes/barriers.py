"""What closes off a plot: walls, fences and hedges along the street, in pieces."""

import itertools
from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.camera import Point
from trainer.data.scenes.canvas import Colour, scaled
from trainer.data.scenes.ground import KERB_M
from trainer.data.scenes.stage import TOWARDS_CAMERA, UP, Footprint, Stage, front, rectangle, wall

_LOOKS: dict[str, tuple[str, tuple[float, float], tuple[Colour, ...]]] = {
    # Cityscapes name, height in metres, colours
    "wall": ("wall", (1.0, 2.4), ((150, 138, 124), (132, 96, 80), (168, 162, 152))),
    "boards": ("fence", (1.1, 1.9), ((128, 96, 66), (110, 84, 62), (96, 88, 80))),
    "rails": ("fence", (0.9, 1.4), ((62, 72, 66), (88, 90, 92), (186, 186, 182))),
    "hedge": ("vegetation", (0.9, 2.0), ((58, 84, 40), (72, 94, 42), (50, 74, 44))),
}
BARRIER_KINDS = tuple(_LOOKS)


@dataclass(frozen=True, kw_only=True)
class Barrier:
    """A straight piece along the street; lengths in metres.

    Attributes:
        kind: one of `BARRIER_KINDS`.
        s: where it stands, from the street's middle, positive to the right.
        span: (near, far) along the street.
        height_m: over the pavement.
        colour: its own colour.
    """

    kind: str
    s: float
    span: tuple[float, float]
    height_m: float
    colour: Colour

    @property
    def depth_m(self) -> float:
        """Its far end."""
        return self.span[1]

    @property
    def footprint(self) -> Footprint:
        """A narrow block."""
        return Footprint(base=rectangle((self.s - 0.2, self.s + 0.2), self.span), low_m=0.0, high_m=self.height_m)

    def paint(self, stage: Stage) -> None:
        """Paints the near end, the face towards the street, and its pattern."""
        name = _LOOKS[self.kind][0]
        outwards: Point = (-float(np.sign(self.s)), 0.0, 0.0)
        thick = 0.8 if self.kind == "hedge" else 0.25
        back = self.s + float(np.sign(self.s)) * thick
        near, far = self.span
        top = KERB_M + self.height_m
        stage.face(front((self.s, back), (KERB_M, top), near), self.colour, name, TOWARDS_CAMERA)
        stage.face(wall(self.s, (KERB_M, top), self.span), self.colour, name, outwards)
        if stage.camera.height_m > top:
            lid = [(self.s, top, near), (self.s, top, far), (back, top, far), (back, top, near)]
            stage.face(lid, self.colour, name, UP)
        if stage.detail_px(0.15, near) > 0.8:
            self._paint_pattern(stage, name, outwards)

    def _paint_pattern(self, stage: Stage, name: str, outwards: Point) -> None:
        near, far = self.span
        top = KERB_M + self.height_m
        dark = scaled(self.colour, 0.67)
        if self.kind in ("boards", "rails"):
            gap, step = (0.04, 0.22) if self.kind == "boards" else (0.11, 0.16)
            starts = np.arange(near, far - gap, step)
            # through the gaps of a fence one sees shade; Cityscapes labels it fence all the same
            slots = np.array([wall(self.s, (KERB_M, top - 0.12), (start, start + gap)) for start in starts])
            stage.faces(slots, [stage.weather.shade(dark, outwards, near)] * len(slots), name)
        elif self.kind == "wall":
            for y in np.arange(KERB_M + 0.3, top - 0.1, 0.3):
                stage.face(wall(self.s, (y, y + 0.03), self.span), dark, name, outwards)
            pale = scaled(self.colour, 1.18)
            stage.face(wall(self.s, (top - 0.1, top), self.span), pale, name, outwards)
        else:
            self._paint_leaves(stage, name, outwards)

    def _paint_leaves(self, stage: Stage, name: str, outwards: Point) -> None:
        near, far = self.span
        count = int(min(240, 30 * (far - near)))
        z = stage.rng.uniform(near, far - 0.2, count)
        y = stage.rng.uniform(KERB_M, KERB_M + self.height_m - 0.15, count)
        size = stage.rng.uniform(0.08, 0.22, count)
        tones = [stage.weather.shade(scaled(self.colour, tone), outwards, near) for tone in (0.6, 0.8, 1.2, 1.4)]
        tufts = np.array(
            [wall(self.s, (up, up + part), (ahead, ahead + part)) for ahead, up, part in zip(z, y, size, strict=True)]
        )
        stage.faces(tufts, [tones[pick] for pick in stage.rng.integers(len(tones), size=count)], name)


def draw_barriers(rng: np.random.Generator, kind: str, s: float, span: tuple[float, float]) -> list[Barrier]:
    """Draws a barrier from `span[0]` to `span[1]` in pieces of at most 5 m, so that it follows a bend."""
    _, heights, colours = _LOOKS[kind]
    height, colour = rng.uniform(*heights), colours[rng.integers(len(colours))]
    ends = np.linspace(span[0], span[1], max(2, int((span[1] - span[0]) / 5.0) + 2)).tolist()
    return [
        Barrier(kind=kind, s=s, span=(near, far), height_m=height, colour=colour)
        for near, far in itertools.pairwise(ends)
    ]
