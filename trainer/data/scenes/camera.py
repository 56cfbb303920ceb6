"""The dash camera: street coordinates in metres to picture coordinates in pixels.

Street coordinates are (s, y, z): s to the right of the street's middle, y up from the road, z ahead of the camera.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR_M = 0.8  # points nearer than this are pulled forward to it, so that no polygon wraps around the camera

FloatArray = NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera in a street that may bend.

    Attributes:
        side_px: side of the square canvas it draws on.
        focal_px: focal length, in canvas pixels.
        vanishing_px: (column, row) of the point where a straight street would vanish.
        height_m: of the lens over the road.
        lateral_m: of the lens, to the right of the street's middle.
        bend_per_m: the street's sideways shift over distance squared (half its curvature); positive bends right.
    """

    side_px: int
    focal_px: float
    vanishing_px: tuple[float, float]
    height_m: float
    lateral_m: float
    bend_per_m: float

    def project(self, points: FloatArray) -> FloatArray:
        """Projects points.

        Args:
            points: street coordinates in metres, float64 [..., 3] as (s, y, z).

        Returns:
            Canvas coordinates in pixels, float64 [..., 2] as (column, row).
        """
        ahead = np.maximum(points[..., 2], NEAR_M)
        scale = self.focal_px / ahead
        projected = np.empty((*points.shape[:-1], 2))
        projected[..., 0] = (
            self.vanishing_px[0] + (points[..., 0] - self.lateral_m + self.bend_per_m * ahead**2) * scale
        )
        projected[..., 1] = self.vanishing_px[1] + (self.height_m - points[..., 1]) * scale
        return projected

    def outline(self, points: Iterable[Point]) -> list[float]:
        """Projects a few points as `project` does, without numpy's cost for small arrays.

        Args:
            points: street coordinates (s, y, z) in metres.

        Returns:
            Canvas coordinates in pixels as column, row, column, row, ...
        """
        flat: list[float] = []
        for s, y, z in points:
            ahead = z if z > NEAR_M else NEAR_M
            scale = self.focal_px / ahead
            flat.append(self.vanishing_px[0] + (s - self.lateral_m + self.bend_per_m * ahead * ahead) * scale)
            flat.append(self.vanishing_px[1] + (self.height_m - y) * scale)
        return flat

    def pixels_per_m(self, ahead_m: float) -> float:
        """Returns how many canvas pixels one metre across the view takes at a distance ahead."""
        return self.focal_px / max(ahead_m, NEAR_M)

    def ground_under(self, column: FloatArray, row: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Finds the road point that a pixel looks at, the inverse of `project` for y = 0.

        Args:
            column: canvas columns in pixels, broadcast against `row`.
            row: canvas rows in pixels; rows at or over the horizon are taken as just under it.

        Returns:
            (s, z) of the road points in metres.
        """
        drop = np.maximum(row - self.vanishing_px[1], 0.5)
        ahead = self.focal_px * self.height_m / drop
        sideways = (column - self.vanishing_px[0]) * ahead / self.focal_px
        return sideways + self.lateral_m - self.bend_per_m * ahead * ahead, ahead
