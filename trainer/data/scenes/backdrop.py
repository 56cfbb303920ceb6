"""What lies behind the street: the sky with its clouds and sun, and a far skyline on the horizon."""

import numpy as np
from PIL import Image

from trainer.data.scenes.canvas import Colour
from trainer.data.scenes.noise import smooth_noise
from trainer.data.scenes.stage import TOWARDS_CAMERA, UP, Stage, front

FAR_M = 150.0  # the street's end: nothing is painted beyond but the sky

_SKYLINE_COLOURS: tuple[Colour, ...] = ((120, 112, 104), (96, 92, 92), (140, 128, 112), (104, 110, 118))
_TREE_LINE_COLOUR: Colour = (58, 78, 44)


def paint_sky(stage: Stage) -> None:
    """Fills the whole canvas with sky: gradient from zenith to horizon, clouds, and the glow around the sun."""
    weather, camera = stage.weather, stage.camera
    side = max(32, camera.side_px // 4)
    shrink = side / camera.side_px
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / np.float32(shrink)
    above = np.clip((camera.vanishing_px[1] - rows) / camera.focal_px, 0.0, 1.0)[..., None]

    horizon = np.array(weather.haze, dtype=np.float32)
    sky = horizon + (np.array(weather.zenith, dtype=np.float32) - horizon) * (1.0 - np.exp(-above * 3.0))

    clouds = smooth_noise(stage.rng, (side, side), side / 2.5, 5)
    # a covered sky is all cloud and only varies in brightness; a clear one has a few with edges
    cover = 1.0 / (1.0 + np.exp(-(clouds + 4.0 * weather.cloudiness - 2.6) * 3.0))
    texture = smooth_noise(stage.rng, (side, side), side / 5, 3)
    cloud = np.clip(horizon * 0.72 + 66.0 - 6.0 * texture[..., None], 0, 255)
    sky += (cloud - sky) * (cover * 0.85 * np.clip(0.35 + weather.cloudiness, 0, 1))[..., None]

    sun_s, sun_y, sun_z = weather.sun
    if sun_z > 0.1:  # in front of the camera
        sun_column = camera.vanishing_px[0] + camera.focal_px * sun_s / sun_z
        sun_row = camera.vanishing_px[1] - camera.focal_px * sun_y / sun_z
        far = np.hypot(columns - sun_column, rows - sun_row) / camera.focal_px
        glow = (np.exp(-far * 2.5) * (1.0 - 0.75 * weather.cloudiness))[..., None]
        sky += (np.array((255, 246, 226), dtype=np.float32) - sky) * glow
    small = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8))
    full = small.resize((camera.side_px, camera.side_px), Image.Resampling.BICUBIC)
    stage.canvas.picture(full, None, (0, 0), "sky")


def paint_skyline(stage: Stage) -> None:
    """Closes the horizon at `FAR_M` with far buildings and tree tops."""
    rng = stage.rng
    half_width = FAR_M * stage.camera.side_px / stage.camera.focal_px * 0.6
    middle = -stage.camera.bend_per_m * FAR_M**2
    for row in range(2):  # a higher, hazier row behind a lower one
        left = middle - half_width
        while left < middle + half_width:
            right = left + rng.uniform(7, 26)
            if rng.random() < 0.3:
                _paint_far_tree(stage, (left, right), rng.uniform(5, 11) * (1.3 - 0.3 * row))
            else:
                tall = rng.uniform(6, 22) * (1.25 - 0.45 * row)
                colour = _SKYLINE_COLOURS[rng.integers(len(_SKYLINE_COLOURS))]
                stage.face(front((left, right), (0, tall), FAR_M), colour, "building", TOWARDS_CAMERA)
            left = right


def _paint_far_tree(stage: Stage, across: tuple[float, float], top: float) -> None:
    turn = np.linspace(0, np.pi, 9)
    middle, half = (across[0] + across[1]) / 2, (across[1] - across[0]) / 2 + 2
    columns, rows = middle + half * np.cos(turn), top * np.sin(turn) ** 0.6 * stage.rng.uniform(0.8, 1.1, 9)
    crown = [(s, y, FAR_M) for s, y in zip(columns.tolist(), rows.tolist(), strict=True)]
    stage.face(crown, _TREE_LINE_COLOUR, "vegetation", UP)
