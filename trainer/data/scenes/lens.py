"""From painted shapes to a photo: the grain of materials, the lens' blur and vignette, the sensor's noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from trainer.data.scenes.camera import Camera
from trainer.data.scenes.canvas import CLASS_NUMBER
from trainer.data.scenes.noise import NoiseArray, smooth_noise

_GROUND_GRAIN = {"road": 0.055, "sidewalk": 0.05, "parking": 0.07, "terrain": 0.13}
_UPRIGHT_GRAIN = {"building": 0.018, "wall": 0.07, "fence": 0.04, "vegetation": 0.15, "person": 0.03, "rider": 0.03}
_TILE_PX = 128  # a repeat every 5 m goes unseen under the stains, which repeat every 10 m and more
_TILE_PER_M = 24.0


@dataclass(frozen=True, kw_only=True)
class Lens:
    """The faults of one camera; lengths as shares of the picture's side.

    Attributes:
        blur: radius of the defocus.
        zoom: how far the corners move during exposure, outwards from the vanishing point.
        vignette: share of the light lost in the corners.
        noise: standard deviation of the sensor's noise at half brightness, in levels of 255.
        contrast: 1.0 leaves it as it is.
        saturation: 1.0 leaves it as it is.
    """

    blur: float
    zoom: float
    vignette: float
    noise: float
    contrast: float
    saturation: float


def draw_lens(rng: np.random.Generator) -> Lens:
    """Draws the faults of one camera."""
    return Lens(
        blur=float(rng.uniform(0.0, 0.0026)),
        zoom=float(rng.uniform(0.004, 0.010)) if rng.random() < 0.4 else 0.0,
        vignette=float(rng.uniform(0.0, 0.32)),
        noise=float(rng.uniform(0.8, 5.0)),
        contrast=float(rng.uniform(0.85, 1.12)),
        saturation=float(rng.uniform(0.75, 1.1)),
    )


def expose(
    rng: np.random.Generator, lens: Lens, camera: Camera, painted_hwc: NDArray[np.uint8], classes_hw: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Makes a photo of a painted scene.

    Args:
        rng: source of grain and noise.
        lens: the camera's faults.
        camera: the camera that the scene was painted with, for its canvas.
        painted_hwc: colours, uint8 [side, side, 3] RGB.
        classes_hw: what each pixel shows, uint8 [side, side], places in `CITYSCAPES`.

    Returns:
        uint8 [side, side, 3] RGB.
    """
    side = painted_hwc.shape[0]
    grain = _grain(rng, camera, classes_hw)
    photo = np.clip(painted_hwc * grain[..., None], 0, 255).astype(np.uint8)
    picture = Image.fromarray(photo)
    if lens.zoom:
        picture = _zoomed(
            picture,
            lens.zoom,
            (camera.vanishing_px[0] * side / camera.side_px, camera.vanishing_px[1] * side / camera.side_px),
        )
    if lens.blur * side > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(lens.blur * side))
    return _develop(rng, lens, np.asarray(picture, dtype=np.float32))


def _grain(rng: np.random.Generator, camera: Camera, classes_hw: NDArray[np.uint8]) -> NoiseArray:
    """Brightness factors of each pixel's material: in perspective on the ground, across the view elsewhere."""
    side = classes_hw.shape[0]
    strength = np.zeros(256, dtype=np.float32)
    for name, amount in _UPRIGHT_GRAIN.items():
        strength[CLASS_NUMBER[name]] = amount
    field = smooth_noise(rng, (side, side), max(3.0, side / 64), 2) * strength[classes_hw]

    on_ground = np.zeros(256, dtype=np.float32)
    for name, amount in _GROUND_GRAIN.items():
        on_ground[CLASS_NUMBER[name]] = amount
    first = min(side - 1, max(0, int(camera.vanishing_px[1] * side / camera.side_px)))
    factor = camera.side_px / side
    rows = ((np.arange(first, side) + 0.5) * factor)[:, None]
    columns = ((np.arange(side) + 0.5) * factor)[None, :]
    s, z = camera.ground_under(columns, rows)
    tile = smooth_noise(rng, (_TILE_PX, _TILE_PX), 24, 3)
    stains = smooth_noise(rng, (_TILE_PX, _TILE_PX), 24, 2)
    fine = tile[(z * _TILE_PER_M).astype(np.int64) % _TILE_PX, (s * _TILE_PER_M).astype(np.int64) % _TILE_PX]
    coarse = stains[(z * 4).astype(np.int64) % _TILE_PX, (s * 12).astype(np.int64) % _TILE_PX]
    fading = np.exp(-z / 14.0).astype(np.float32)
    field[first:] += on_ground[classes_hw[first:]] * (fine * fading + 0.7 * coarse)
    return 1.0 + np.clip(field, -0.5, 0.6)


def _zoomed(picture: Image.Image, zoom: float, middle: tuple[float, float]) -> Image.Image:
    """Blurs a picture outwards from `middle`, as driving on does: a mean of slightly enlarged copies."""
    width, height = picture.size
    # edges repeated outwards, since the shrunken copy asks for pixels from beyond them
    border = int(zoom * max(width, height)) + 2
    wide = Image.fromarray(np.pad(np.asarray(picture), ((border, border), (border, border), (0, 0)), mode="edge"))
    total = np.zeros((height, width, 3), dtype=np.float32)
    steps = (-0.5, 0.0, 0.5)  # about the sharp one, so that shapes stay where their labels are
    for step in steps:
        scale = 1.0 - zoom * step
        shift = [border + place * (1.0 - scale) for place in middle]
        matrix = (scale, 0.0, shift[0], 0.0, scale, shift[1])
        total += np.asarray(wide.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
    return Image.fromarray((total / len(steps)).astype(np.uint8))


def _develop(rng: np.random.Generator, lens: Lens, photo: NoiseArray) -> NDArray[np.uint8]:
    side = photo.shape[0]
    away = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    photo = photo * (1.0 - lens.vignette * 0.5 * (away[:, None] + away[None, :]))[..., None]
    grey = photo @ np.array((0.299, 0.587, 0.114), dtype=np.float32)
    photo = grey[..., None] + (photo - grey[..., None]) * np.float32(lens.saturation)
    photo = 112.0 + (photo - 112.0) * np.float32(lens.contrast)
    shot = np.sqrt(np.clip(photo, 0, 255) / 127.5) * 0.7 + 0.3
    photo = photo + rng.standard_normal(photo.shape, dtype=np.float32) * shot * np.float32(lens.noise)
    return np.clip(photo + 0.5, 0, 255).astype(np.uint8)
