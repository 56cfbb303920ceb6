"""The front of the camera's own car, which some dash cameras see at the bottom of the picture; void in the labels."""

from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.canvas import Canvas, Colour, scaled
from trainer.data.scenes.weather import Weather

_PAINTS: tuple[Colour, ...] = ((34, 36, 40), (70, 72, 76), (150, 152, 156), (96, 24, 26), (30, 44, 84))
_NAME = "ego vehicle"


@dataclass(frozen=True, kw_only=True)
class Bonnet:
    """The visible part of a bonnet; lengths as shares of the picture's side.

    Attributes:
        middle: column of its highest point.
        top: how high it reaches over the lower edge.
        edge: how high it reaches at the picture's sides.
        paint: its own colour.
    """

    middle: float
    top: float
    edge: float
    paint: Colour


def draw_bonnet(rng: np.random.Generator) -> Bonnet | None:
    """Draws a bonnet, or None where the camera looks over it."""
    if rng.random() > 0.35:
        return None
    top = float(rng.uniform(0.03, 0.075))
    return Bonnet(
        middle=float(rng.uniform(0.42, 0.58)),
        top=top,
        edge=top * float(rng.uniform(0.1, 0.5)),
        paint=_PAINTS[rng.integers(len(_PAINTS))],
    )


def paint_bonnet(canvas: Canvas, weather: Weather, bonnet: Bonnet) -> None:
    """Paints it over everything, brighter towards its far edge, where it mirrors the sky."""
    side = canvas.canvas_px
    columns = np.linspace(0.0, 1.0, 25)
    reach = max(bonnet.middle, 1.0 - bonnet.middle)
    rise = bonnet.edge + (bonnet.top - bonnet.edge) * (1.0 - (np.abs(columns - bonnet.middle) / reach) ** 2)
    for share, brightness in ((1.0, 1.35), (0.86, 1.0), (0.55, 0.8), (0.25, 0.65)):
        rows = side * (1.0 - rise * share)
        curve = np.stack((columns * side, rows), axis=-1).ravel().tolist()
        lit = weather.shade(scaled(bonnet.paint, brightness), (0.0, 0.9, -0.4), 0.0)
        canvas.polygon([*curve, side, side, 0, side], lit, _NAME)
