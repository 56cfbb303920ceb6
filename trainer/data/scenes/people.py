"""People: walkers, and riders on bicycles; flat figures that face the camera, built of limbs."""

from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.canvas import Colour, scaled
from trainer.data.scenes.stage import Footprint, Stage, round_base

_SKINS: tuple[Colour, ...] = ((224, 180, 150), (198, 148, 116), (142, 98, 72), (96, 66, 50))
_HAIRS: tuple[Colour, ...] = ((40, 30, 26), (84, 58, 38), (150, 118, 74), (120, 116, 112), (196, 60, 50), (44, 70, 120))
_TOPS: tuple[Colour, ...] = (
    (196, 36, 42), (214, 96, 32), (228, 188, 50), (48, 82, 166), (186, 62, 116), (236, 234, 228), (104, 58, 132),
    (40, 42, 48), (48, 146, 150), (158, 42, 58), (236, 122, 134), (70, 158, 92),
)  # fmt: skip
_TROUSERS: tuple[Colour, ...] = (
    (36, 44, 70),
    (30, 30, 34),
    (66, 62, 60),
    (122, 104, 82),
    (84, 96, 124),
    (150, 142, 130),
)

Segment = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One person; lengths in metres.

    Attributes:
        foot: (s, z) where the person stands, or the bicycle's middle.
        base_m: height of the ground there.
        height_m: of the person.
        stride: how far the feet are apart, -1..1; the sign says which way the person walks.
        build: breadth, 1.0 is usual.
        skin: colour.
        hair: colour.
        top: colour of shirt or coat.
        trousers: colour.
        coat: whether the top reaches down to the knees.
        bag: colour of a bag, or None.
        riding: "" for a walker, "away" or "across" on a bicycle.
    """

    foot: tuple[float, float]
    base_m: float
    height_m: float
    stride: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    coat: bool
    bag: Colour | None
    riding: str

    @property
    def depth_m(self) -> float:
        """Where the person stands."""
        return self.foot[1]

    @property
    def footprint(self) -> Footprint:
        """A slim upright block."""
        return Footprint(base=round_base(self.foot, 0.22), low_m=0.0, high_m=self.height_m)

    def paint(self, stage: Stage) -> None:
        """Paints the figure from the ground up."""
        if self.riding == "across":
            self._paint_bicycle_across(stage)
        elif self.riding == "away":
            self._paint_bicycle_away(stage)
        else:
            self._paint_legs(stage)
            self._paint_body(stage, lift=0.0, name="person")

    def _limb(self, stage: Stage, bone: Segment, thick: tuple[float, float], colour: Colour, name: str) -> None:
        """Paints a limb from one joint to the next, `thick` at each, in shares of the person's height."""
        size = self.height_m
        (x0, y0), (x1, y1) = bone
        along = np.array((x1 - x0, y1 - y0))
        across = np.array((-along[1], along[0])) / max(1e-6, float(np.hypot(*along)))
        a, b = across * thick[0] * self.build / 2, across * thick[1] * self.build / 2
        corners = [(x0 + a[0], y0 + a[1]), (x1 + b[0], y1 + b[1]), (x1 - b[0], y1 - b[1]), (x0 - a[0], y0 - a[1])]
        stage.upright(self.foot, [(float(x) * size, self.base_m + float(y) * size) for x, y in corners], colour, name)

    def _paint_legs(self, stage: Stage) -> None:
        for side, shade in ((-1, 0.75), (1, 1.0)):
            reach = side * (0.05 + 0.11 * abs(self.stride))
            colour = scaled(self.trousers, shade)
            self._limb(stage, ((side * 0.045, 0.5), (reach * 0.75, 0.27)), (0.105, 0.085), colour, "person")
            self._limb(stage, ((reach * 0.75, 0.28), (reach, 0.03)), (0.085, 0.06), colour, "person")
            toe = 0.06 if self.stride >= 0 else -0.06
            self._limb(stage, ((reach - toe * 0.3, 0.02), (reach + toe, 0.015)), (0.04, 0.035), (34, 30, 28), "person")

    def _paint_body(self, stage: Stage, *, lift: float, name: str) -> None:
        """Paints arms, trunk, bag and head; `lift` raises them all, in shares of the height."""
        hem, shoulder, neck = (0.3 if self.coat else 0.46) + lift, 0.79 + lift, 0.83 + lift
        elbow, hand = 0.15 + 0.09 * self.stride, 0.47 + lift
        self._limb(stage, ((-0.115, shoulder), (-elbow, hand)), (0.075, 0.055), scaled(self.top, 0.8), name)
        trunk = ((-0.085, hem), (0.085, hem), (0.135, shoulder), (0.06, neck), (-0.06, neck), (-0.135, shoulder))
        shady = -1 if stage.weather.sun[0] > 0 else 1
        fold = ((0.0, hem), (shady * 0.085, hem), (shady * 0.135, shoulder), (shady * 0.02, neck))
        for outline, colour in ((trunk, self.top), (fold, scaled(self.top, 0.78))):
            corners = [(x * self.height_m * self.build, self.base_m + y * self.height_m) for x, y in outline]
            stage.upright(self.foot, corners, colour, name)
        self._limb(stage, ((0.115, shoulder), (elbow, hand)), (0.075, 0.055), scaled(self.top, 0.9), name)
        if self.bag is not None:
            self._limb(stage, ((0.13, 0.62 + lift), (0.14, 0.46 + lift)), (0.11, 0.13), self.bag, name)
        self._paint_head(stage, lift, name)

    def _paint_head(self, stage: Stage, lift: float, name: str) -> None:
        (s, z), size = self.foot, self.height_m
        middle = self.base_m + (0.915 + lift) * size
        self._limb(stage, ((0.0, 0.82 + lift), (0.0, 0.88 + lift)), (0.07, 0.07), self.skin, name)
        stage.disc((s, middle, z), (0.062 * size, 0.078 * size), self.hair, name)
        face = (s + 0.012 * size * (1 if self.stride >= 0 else -1), middle - 0.018 * size, z)
        stage.disc(face, (0.05 * size, 0.06 * size), self.skin, name)

    def _paint_bicycle_away(self, stage: Stage) -> None:
        s, z = self.foot
        stage.upright((s, z), [(-0.06, 0.0), (0.06, 0.0), (0.06, 0.72), (-0.06, 0.72)], (30, 30, 32), "bicycle")
        stage.upright((s, z), [(-0.3, 0.98), (0.3, 0.98), (0.3, 1.06), (-0.3, 1.06)], (60, 60, 62), "bicycle")
        for side in (-1, 1):
            self._limb(
                stage,
                ((side * 0.06, 0.55), (side * 0.085, 0.2 + 0.05 * side)),
                (0.11, 0.07),
                scaled(self.trousers, 0.9 + 0.1 * side),
                "rider",
            )
        self._paint_body(stage, lift=0.06, name="rider")

    def _paint_bicycle_across(self, stage: Stage) -> None:
        (s, z), ahead = self.foot, 1.0 if self.stride >= 0 else -1.0
        for hub in (-0.53, 0.53):
            for radius, colour in ((0.35, (28, 28, 30)), (0.27, (104, 104, 102)), (0.05, (40, 40, 40))):
                stage.disc((s + hub, 0.35, z), (radius, radius), colour, "bicycle")
        frame = (self.top[2], self.top[0], self.top[1])
        joints = {
            "rear": (-0.53, 0.35),
            "pedal": (-0.05, 0.32),
            "seat": (-0.2, 0.9),
            "bar": (0.38, 0.95),
            "front": (0.53, 0.35),
        }
        for one, other in (
            ("rear", "pedal"),
            ("pedal", "seat"),
            ("seat", "rear"),
            ("pedal", "bar"),
            ("seat", "bar"),
            ("bar", "front"),
        ):
            (x0, y0), (x1, y1) = joints[one], joints[other]
            stage.upright(
                (s, z),
                [(x0 * ahead, y0), (x0 * ahead, y0 + 0.08), (x1 * ahead, y1 + 0.08), (x1 * ahead, y1)],
                frame,
                "bicycle",
            )
        size = self.height_m
        hip, knee, pedal = (-0.2 * ahead / size, 0.56), (0.12 * ahead / size, 0.46), (-0.02 * ahead / size, 0.19)
        self._limb(stage, (hip, knee), (0.12, 0.09), self.trousers, "rider")
        self._limb(stage, (knee, pedal), (0.085, 0.06), self.trousers, "rider")
        shoulder, hand = (0.06 * ahead / size, 0.86), (0.36 * ahead / size, 0.6)
        self._limb(stage, (hip, shoulder), (0.16, 0.17), self.top, "rider")
        self._limb(stage, (shoulder, hand), (0.08, 0.055), scaled(self.top, 0.85), "rider")
        head = (s + 0.14 * ahead, self.base_m + 0.985 * size, z)
        stage.disc(head, (0.065 * size, 0.078 * size), self.hair, "rider")
        stage.disc((head[0] + 0.02 * ahead, head[1] - 0.04, z), (0.052 * size, 0.058 * size), self.skin, "rider")


def draw_figure(rng: np.random.Generator, foot: tuple[float, float], base_m: float, riding: str = "") -> Figure:
    """Draws the looks of one person who stands at `foot` (s, z) on ground of height `base_m`."""
    child = not riding and rng.random() < 0.12
    return Figure(
        foot=foot,
        base_m=0.0 if riding else base_m,
        height_m=rng.uniform(1.15, 1.45) if child else rng.uniform(1.6, 1.92),
        stride=float(rng.uniform(-1, 1)),
        build=rng.uniform(1.05, 1.4),
        skin=_SKINS[rng.integers(len(_SKINS))],
        hair=_HAIRS[rng.integers(len(_HAIRS))],
        top=_TOPS[rng.integers(len(_TOPS))],
        trousers=_TROUSERS[rng.integers(len(_TROUSERS))],
        coat=bool(rng.random() < 0.25),
        bag=_TOPS[rng.integers(len(_TOPS))] if rng.random() < 0.25 else None,
        riding=riding,
    )
