"""The light of one scene: sun, sky, haze, and what they make of a surface's own colour."""

import math
from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.camera import Point
from trainer.data.scenes.canvas import Colour

Tint = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Weather:
    """The light of one scene.

    Attributes:
        sun: unit vector towards the sun, as (s, y, z).
        sunlight: RGB that a surface facing the sun gets, on top of `skylight`; 1.0 shows its own colour.
        skylight: RGB that every surface gets.
        zenith: RGB of the sky overhead, 0..255.
        haze: RGB of the sky at the horizon and of far things, 0..255.
        haze_per_m: share of a thing's colour lost to haze per metre.
        cloudiness: 0 clear .. 1 covered.
        lit_windows: share of windows with a lamp on, 0..1; cars have theirs on above 0.15.
    """

    sun: Point
    sunlight: Tint
    skylight: Tint
    zenith: Colour
    haze: Colour
    haze_per_m: float
    cloudiness: float
    lit_windows: float

    def shade(self, colour: Colour, normal: Point, ahead_m: float) -> Colour:
        """Returns the colour (RGB, 0..255) that a surface shows.

        Args:
            colour: its own RGB, 0..255.
            normal: unit vector out of the surface, as (s, y, z).
            ahead_m: distance from the camera.
        """
        facing = max(0.0, self.sun[0] * normal[0] + self.sun[1] * normal[1] + self.sun[2] * normal[2])
        clear = math.exp(-self.haze_per_m * ahead_m)
        (red, green, blue), haze, sky, sun = colour, self.haze, self.skylight, self.sunlight
        veil = 1.0 - clear
        return (
            min(255, int(red * (sky[0] + sun[0] * facing) * clear + haze[0] * veil)),
            min(255, int(green * (sky[1] + sun[1] * facing) * clear + haze[1] * veil)),
            min(255, int(blue * (sky[2] + sun[2] * facing) * clear + haze[2] * veil)),
        )

    @property
    def shadow(self) -> float:
        """How much of the road's light the sun gives, which is what a shadow takes away, 0..1."""
        from_sun = sum(self.sunlight) * self.sun[1]
        return from_sun / (from_sun + sum(self.skylight))


@dataclass(frozen=True, kw_only=True)
class _Mood:
    """Middle values that one kind of weather varies around; the names are those of `Weather`."""

    share: float
    elevation_deg: tuple[float, float]
    sunlight: Tint
    skylight: Tint
    zenith: Colour
    haze: Colour
    haze_per_m: float
    cloudiness: tuple[float, float]
    lit_windows: float


_MOODS = (
    _Mood(
        share=0.40,  # clear day
        elevation_deg=(35, 65),
        sunlight=(1.00, 0.94, 0.82),
        skylight=(0.52, 0.57, 0.66),
        zenith=(62, 116, 196),
        haze=(190, 212, 234),
        haze_per_m=0.004,
        cloudiness=(0.0, 0.55),
        lit_windows=0.0,
    ),
    _Mood(
        share=0.30,  # covered
        elevation_deg=(40, 70),
        sunlight=(0.12, 0.12, 0.12),
        skylight=(0.84, 0.86, 0.90),
        zenith=(168, 178, 190),
        haze=(208, 213, 218),
        haze_per_m=0.007,
        cloudiness=(0.6, 1.0),
        lit_windows=0.05,
    ),
    _Mood(
        share=0.20,  # low sun
        elevation_deg=(16, 28),
        sunlight=(1.00, 0.74, 0.44),
        skylight=(0.52, 0.52, 0.60),
        zenith=(88, 124, 178),
        haze=(246, 212, 164),
        haze_per_m=0.006,
        cloudiness=(0.1, 0.6),
        lit_windows=0.08,
    ),
    _Mood(
        share=0.10,  # dusk
        elevation_deg=(12, 20),
        sunlight=(0.16, 0.09, 0.08),
        skylight=(0.54, 0.54, 0.64),
        zenith=(58, 72, 118),
        haze=(196, 158, 150),
        haze_per_m=0.006,
        cloudiness=(0.2, 0.8),
        lit_windows=0.22,
    ),
)


def draw_weather(rng: np.random.Generator) -> Weather:
    """Draws the light of one scene."""
    mood = _MOODS[rng.choice(len(_MOODS), p=[mood.share for mood in _MOODS])]
    elevation = math.radians(rng.uniform(*mood.elevation_deg))
    azimuth = rng.uniform(-math.pi, math.pi)
    sun = (
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
        math.cos(elevation) * math.cos(azimuth),
    )
    warmth = rng.normal(0.0, 0.035)
    brightness = rng.uniform(0.92, 1.14)
    balance = (brightness * (1 + warmth), brightness, brightness * (1 - warmth))
    return Weather(
        sun=sun,
        sunlight=_tinted(mood.sunlight, balance),
        skylight=_tinted(mood.skylight, balance),
        zenith=_varied(mood.zenith, rng),
        haze=_varied(mood.haze, rng),
        haze_per_m=mood.haze_per_m * rng.uniform(0.5, 1.8),
        cloudiness=rng.uniform(*mood.cloudiness),
        lit_windows=mood.lit_windows * rng.uniform(0.5, 1.5),
    )


def _tinted(light: Tint, balance: Tint) -> Tint:
    return light[0] * balance[0], light[1] * balance[1], light[2] * balance[2]


def _varied(colour: Colour, rng: np.random.Generator) -> Colour:
    red, green, blue = np.clip(np.array(colour) * rng.uniform(0.92, 1.05) + rng.normal(0, 4, 3), 0, 255).astype(int)
    return int(red), int(green), int(blue)
