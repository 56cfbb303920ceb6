"""The shapes of cars, vans, buses and trucks: a side profile, and where its glass and wheels are."""

from dataclasses import dataclass
from functools import cached_property

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Body:
    """The shape of one kind of vehicle; lengths in metres, `along` counted from its middle to its front.

    Attributes:
        name: Cityscapes name.
        profile: (along, height) around the side: rear bumper, up over the roof, down to the front bumper.
        glazed: which edges of the profile, by their first corner, are glass: rear and front window.
        width: over all.
        taper: the roof's width as a share of `width`.
        side_windows: outlines (along, height) of the windows in the side.
        wheels: (along, radius).
        belt_m: height at which the sides begin to lean in.
    """

    name: str
    profile: Outline
    glazed: tuple[int, ...]
    width: float
    taper: float
    side_windows: tuple[Outline, ...]
    wheels: tuple[tuple[float, float], ...]
    belt_m: float

    @cached_property
    def length(self) -> float:
        """From bumper to bumper."""
        return max(along for along, _ in self.profile) - min(along for along, _ in self.profile)

    @cached_property
    def height(self) -> float:
        """Of the roof over the road."""
        return max(up for _, up in self.profile)

    @property
    def bumper_m(self) -> float:
        """Height of the bumpers."""
        return 0.42 if self.height < 2 else 0.6

    @property
    def lamp_m(self) -> tuple[float, float]:
        """Height of the lamps, (low, high)."""
        return (0.66, 0.84) if self.height < 2 else (0.8, 1.1)


def _box_body(
    name: str, length: float, width: float, height: float, windows: int, wheels: Outline, slant: float
) -> Body:
    half, low, sill, head = length / 2, 0.4, height * 0.45, height * 0.86
    step = (length - 0.8) / max(1, windows)
    panes = tuple(
        (
            (-half + 0.4 + i * step, sill),
            (-half + 0.4 + i * step, head),
            (-half + 0.25 + (i + 1) * step, head),
            (-half + 0.25 + (i + 1) * step, sill),
        )
        for i in range(windows)
    )
    profile = (
        (-half, low),
        (-half, sill),
        (-half, head),
        (-half, height),
        (half - slant, height),
        (half - slant * 0.6, head),
        (half, sill),
        (half, low),
    )
    return Body(
        name=name,
        profile=profile,
        glazed=(1, 5),
        width=width,
        taper=0.97,
        side_windows=panes,
        wheels=wheels,
        belt_m=sill,
    )


BODIES: dict[str, Body] = {
    "hatchback": Body(
        name="car",
        profile=(
            (-2.0, 0.28),
            (-2.05, 0.75),
            (-1.95, 0.95),
            (-1.5, 1.46),
            (0.3, 1.5),
            (1.05, 0.98),
            (1.95, 0.8),
            (2.05, 0.55),
            (2.0, 0.28),
        ),
        glazed=(2, 4),
        width=1.78,
        taper=0.76,
        side_windows=(
            ((-1.6, 0.98), (-1.32, 1.38), (-0.5, 1.4), (-0.5, 0.98)),
            ((-0.38, 0.98), (-0.38, 1.4), (0.25, 1.4), (0.85, 0.98)),
        ),
        wheels=((-1.28, 0.33), (1.28, 0.33)),
        belt_m=0.95,
    ),
    "saloon": Body(
        name="car",
        profile=(
            (-2.3, 0.28),
            (-2.35, 0.7),
            (-2.25, 0.98),
            (-1.6, 1.02),
            (-1.0, 1.42),
            (0.25, 1.44),
            (1.05, 0.98),
            (2.15, 0.82),
            (2.3, 0.55),
            (2.25, 0.28),
        ),
        glazed=(3, 5),
        width=1.82,
        taper=0.76,
        side_windows=(
            ((-1.4, 1.02), (-0.95, 1.34), (-0.35, 1.35), (-0.35, 1.0)),
            ((-0.25, 1.0), (-0.25, 1.35), (0.2, 1.36), (0.85, 1.0)),
        ),
        wheels=((-1.4, 0.33), (1.4, 0.33)),
        belt_m=0.98,
    ),
    "estate": Body(
        name="car",
        profile=(
            (-2.3, 0.3),
            (-2.35, 0.8),
            (-2.3, 1.0),
            (-2.0, 1.6),
            (0.2, 1.66),
            (1.1, 1.05),
            (2.1, 0.92),
            (2.28, 0.6),
            (2.25, 0.3),
        ),
        glazed=(2, 4),
        width=1.88,
        taper=0.8,
        side_windows=(
            ((-2.05, 1.06), (-1.85, 1.5), (-1.0, 1.54), (-1.0, 1.06)),
            ((-0.9, 1.06), (-0.9, 1.54), (0.15, 1.56), (0.9, 1.06)),
        ),
        wheels=((-1.4, 0.36), (1.4, 0.36)),
        belt_m=1.02,
    ),
    "van": _box_body("car", 5.2, 2.0, 2.35, 1, ((-1.6, 0.36), (1.7, 0.36)), 1.1),
    "bus": _box_body("bus", 11.6, 2.55, 3.1, 7, ((-3.4, 0.5), (3.6, 0.5)), 0.12),
    "truck": _box_body("truck", 7.6, 2.4, 3.2, 0, ((-2.4, 0.48), (2.4, 0.48)), 0.3),
}
