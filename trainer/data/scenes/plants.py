"""Trees, bushes and hedges: crowns cut out of noise, and trunks, which count as vegetation."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from trainer.data.scenes.canvas import Colour, scaled
from trainer.data.scenes.noise import NoiseArray, smooth_noise
from trainer.data.scenes.stage import Footprint, Stage, round_base

_FOLIAGE: tuple[Colour, ...] = (
    (72, 108, 44), (92, 122, 48), (60, 94, 46), (106, 124, 52), (82, 104, 56), (134, 118, 46),
)  # fmt: skip
_TRUNKS: tuple[Colour, ...] = ((84, 68, 54), (70, 60, 52), (104, 92, 78))
_CROWN_PX = 128
_CROWN_KINDS = 4


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A tree, or a bush where the trunk has no height; lengths in metres.

    Attributes:
        foot: (s, z) of the trunk.
        trunk_m: height of the lowest leaves.
        crown_m: (width, height) of the crown.
        colour: of the leaves.
        trunk_colour: of the trunk.
        base_m: height of the ground it stands on.
        shape: any number; equal ones have equal crowns.
    """

    foot: tuple[float, float]
    trunk_m: float
    crown_m: tuple[float, float]
    colour: Colour
    trunk_colour: Colour
    base_m: float
    shape: int

    @property
    def depth_m(self) -> float:
        """Where its trunk stands."""
        return self.foot[1]

    @property
    def footprint(self) -> Footprint:
        """The round of its crown, lifted by the trunk."""
        base = round_base(self.foot, self.crown_m[0] * 0.44)
        return Footprint(
            base=base, low_m=self.trunk_m + 0.2 * self.crown_m[1], high_m=self.trunk_m + 0.8 * self.crown_m[1]
        )

    def paint(self, stage: Stage) -> None:
        """Paints the trunk, then the crown."""
        if self.trunk_m > 0:
            half = 0.06 + 0.022 * (self.trunk_m + self.crown_m[1])
            top = self.trunk_m + 0.4 * self.crown_m[1]
            outline = [(-half * 1.3, self.base_m), (half * 1.3, self.base_m), (half * 0.7, top), (-half * 0.7, top)]
            stage.upright(self.foot, outline, self.trunk_colour, "vegetation")
            if stage.detail_px(half, self.foot[1]) > 1:
                side = -1 if stage.weather.sun[0] > 0 else 1
                dark = [
                    (0.3 * side * half, self.base_m),
                    (side * half * 1.3, self.base_m),
                    (side * half * 0.7, top),
                    (0.2 * side * half, top),
                ]
                shade = scaled(self.trunk_colour, 0.67)
                stage.upright(self.foot, dark, shade, "vegetation")
        self._paint_crown(stage)

    def _paint_crown(self, stage: Stage) -> None:
        (s, z), (wide, tall) = self.foot, self.crown_m
        scale = stage.camera.pixels_per_m(z)
        size = (max(2, round(wide * scale)), max(2, round(tall * scale)))
        column, row = stage.camera.outline([(s, self.base_m + self.trunk_m + tall / 2, z)])
        left, top = round(column - size[0] / 2), round(row - size[1] / 2)
        shown = (
            max(0, left),
            max(0, top),
            min(stage.canvas.canvas_px, left + size[0]),
            min(stage.canvas.canvas_px, top + size[1]),
        )
        if shown[0] >= shown[2] or shown[1] >= shown[3]:
            return
        leaves, solid = _crown(stage, self)
        # only the part inside the canvas is enlarged: a near crown can be many times as large
        inner = (shown[2] - shown[0], shown[3] - shown[1])
        ratio = (leaves.width / size[0], leaves.height / size[1])
        box = (
            (shown[0] - left) * ratio[0],
            (shown[1] - top) * ratio[1],
            (shown[2] - left) * ratio[0],
            (shown[3] - top) * ratio[1],
        )
        colours = leaves.resize(inner, Image.Resampling.BILINEAR, box=box)
        cut_out = solid.resize(inner, Image.Resampling.BILINEAR, box=box).convert("1", dither=Image.Dither.NONE)
        stage.canvas.picture(colours, cut_out, (shown[0], shown[1]), "vegetation")


def _crown(stage: Stage, plant: Plant) -> tuple[Image.Image, Image.Image]:
    """Makes a crown: clumps of leaves, light where the sun comes from, and a ragged outline.

    Returns:
        (RGB picture, mode "L" picture that is above 127 where the crown is).
    """
    weather, ahead = stage.weather, plant.foot[1]
    large = plant.crown_m[0] * stage.camera.pixels_per_m(ahead) / stage.canvas.oversampling > 20
    clumps = stage.foliage[plant.shape // 2 % len(stage.foliage)][:: 1 if large else 4, :: 1 if large else 4]
    if plant.shape % 2:
        clumps = clumps[:, ::-1]
    middle_out = np.linspace(-1, 1, clumps.shape[0], dtype=np.float32)
    x, y = middle_out[None, :], middle_out[:, None]
    pear = 1.0 if plant.trunk_m == 0 else 1.0 + 0.18 * y  # a tree's crown is wider low than high
    inside = 0.86 - np.sqrt((x * np.float32(1.05) * pear) ** 2 + y**2) + 0.13 * clumps

    lit = np.array(weather.shade(plant.colour, (0.0, 0.8, -0.6), ahead), dtype=np.float32)
    dim = np.array(weather.shade(scaled(plant.colour, 0.55), (0.0, 0.0, -1.0), ahead), dtype=np.float32)
    towards_sun = x * weather.sun[0] - y * weather.sun[1]
    light = np.clip(0.55 + 0.32 * towards_sun + 0.27 * clumps, 0, 1.25)[..., None]
    colours = np.clip(dim + (lit - dim) * light, 0, 255).astype(np.uint8)
    solid = np.clip(127.5 + 600.0 * inside, 0, 255).astype(np.uint8)
    return Image.fromarray(colours), Image.fromarray(solid)


def draw_foliage(rng: np.random.Generator) -> tuple[NoiseArray, ...]:
    """Draws the noise fields that all crowns of a scene are cut from, float32 [side, side] each."""
    return tuple(smooth_noise(rng, (_CROWN_PX, _CROWN_PX), _CROWN_PX / 3.5, 6, 0.62) for _ in range(_CROWN_KINDS))


def draw_tree(rng: np.random.Generator, foot: tuple[float, float], base_m: float) -> Plant:
    """Draws a street tree that stands at `foot` (s, z)."""
    wide = rng.uniform(3.2, 6.5)
    return Plant(
        foot=foot,
        trunk_m=rng.uniform(2.0, 3.2),
        crown_m=(wide, wide * rng.uniform(0.9, 1.5)),
        colour=_FOLIAGE[rng.integers(len(_FOLIAGE))],
        trunk_colour=_TRUNKS[rng.integers(len(_TRUNKS))],
        base_m=base_m,
        shape=int(rng.integers(2 * _CROWN_KINDS)),
    )


def draw_bush(rng: np.random.Generator, foot: tuple[float, float], base_m: float) -> Plant:
    """Draws a bush that stands at `foot` (s, z)."""
    wide = rng.uniform(1.4, 3.4)
    return Plant(
        foot=foot,
        trunk_m=0.0,
        crown_m=(wide, wide * rng.uniform(0.55, 0.9)),
        colour=_FOLIAGE[rng.integers(len(_FOLIAGE))],
        trunk_colour=_TRUNKS[0],
        base_m=base_m - 0.15,
        shape=int(rng.integers(2 * _CROWN_KINDS)),
    )
