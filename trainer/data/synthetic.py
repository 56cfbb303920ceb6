"""Synthetic street scenes with exact labels: one scene from (seed, index), or a folder of them in the pairs layout."""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime.errors import StorageError, UsageError
from runtime.files import write_whole
from trainer.data.progress import track
from trainer.data.scenes.backdrop import paint_sky, paint_skyline
from trainer.data.scenes.bonnet import draw_bonnet, paint_bonnet
from trainer.data.scenes.canvas import CLASS_COLOURS, Canvas
from trainer.data.scenes.districts import draw_district, draw_street
from trainer.data.scenes.ground import paint_ground, paint_shadows
from trainer.data.scenes.layout import draw_camera, draw_things
from trainer.data.scenes.lens import draw_lens, expose
from trainer.data.scenes.plants import draw_foliage
from trainer.data.scenes.stage import Stage
from trainer.data.scenes.weather import draw_weather

MIN_SIZE_PX = 32
MAX_SIZE_PX = 1024

_BESIDE_M = 5.0  # how far a thing may reach beyond the ground it stands on: an arm with a traffic light
_TEMPORARY = re.compile(r"\.(\d+\.jpg)\..*\.tmp")  # what an interrupted `write_whole` leaves


def render_scene(seed: int, index: int, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws one scene; the same arguments give the same bytes, in any order, on the same versions of numpy and Pillow.

    What stands where depends on `seed` and `index` alone, so a scene looks the same, but for fine detail, at any size.

    Args:
        seed: of the set of scenes, 0 or more.
        index: of the scene in its set, 0 or more.
        size_px: side of photo and mask, 32 to 1024.

    Returns:
        (photo, mask): uint8 [size_px, size_px, 3] RGB each, the mask in the colours of `CITYSCAPES` and no others.

    Raises:
        UsageError: an argument is out of its range.
    """
    _check_scene(seed, index, size_px)
    layout_rng, light_rng, detail_rng, lens_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence([seed, index]).spawn(4)
    )
    canvas = Canvas(size_px, 2 if size_px >= 128 else 4)
    district = draw_district(layout_rng)
    street = draw_street(layout_rng, district)
    camera = draw_camera(layout_rng, street, canvas.canvas_px)
    things = draw_things(layout_rng, district, street)
    bonnet = draw_bonnet(layout_rng)
    weather, lens = draw_weather(light_rng), draw_lens(light_rng)
    foliage = draw_foliage(detail_rng)
    stage = Stage(camera=camera, weather=weather, canvas=canvas, rng=detail_rng, foliage=foliage)

    paint_sky(stage)
    paint_skyline(stage)
    paint_ground(stage, street)
    footprints = [thing.footprint for thing in things]
    paint_shadows(stage, street, [footprint for footprint in footprints if footprint is not None])
    for thing, footprint in zip(things, footprints, strict=True):
        if footprint is None or stage.in_view(footprint, _BESIDE_M):
            thing.paint(stage)
    if bonnet is not None:
        paint_bonnet(canvas, weather, bonnet)

    classes_hw = canvas.classes()
    photo_hwc = expose(lens_rng, lens, camera, canvas.photo(), classes_hw)
    return photo_hwc, CLASS_COLOURS[classes_hw]


def write_scenes(out: Path, count: int, size_px: int, seed: int, val_share: float = 0.2) -> None:
    """Writes scenes as JPEG pairs, photo left and mask right: OUT/train/1.jpg .., OUT/val/1.jpg ...

    Nothing that is there already is changed: writing the same set again, or going on after an interrupt, leaves equal
    files as they are.

    Args:
        out: folder to write into; made if missing.
        count: scenes in all, 2 or more.
        size_px: side of photo and mask, 32 to 1024.
        seed: of the set, 0 or more.
        val_share: share of the scenes that go to `val`, over 0 and under 1; at least one goes to each split.

    Raises:
        UsageError: an argument is out of its range, or `out` holds anything but these very files.
        StorageError: a file could not be written.
    """
    _check_set(count, val_share)
    _check_scene(seed, 0, size_px)
    val_count = min(count - 1, max(1, round(count * val_share)))
    names = [f"train/{n + 1}.jpg" for n in range(count - val_count)] + [f"val/{n + 1}.jpg" for n in range(val_count)]
    _check_folder(out, set(names))
    for index, name in enumerate(track(names, "drawing scenes", total=count)):
        pair = np.concatenate(render_scene(seed, index, size_px), axis=1)
        _write_new(out / name, _encode_jpeg(pair))


def _encode_jpeg(pair_hwc: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pair_hwc).save(stream, "JPEG", quality=95, subsampling="4:2:0")  # as the real pairs are
    return stream.getvalue()


def _write_new(path: Path, data: bytes) -> None:
    """Writes a file unless it is there with these bytes; one with other bytes is somebody's data and stays."""
    if not path.exists():
        write_whole(path, data)
        return
    try:
        there = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: could not be read ({error.strerror or error}); check its permissions") from error
    if there != data:
        raise UsageError(
            f"{path}: expected to be missing or equal to the scene to be written ({len(data)} bytes), "
            f"got another file of {len(there)} bytes; choose another folder, or delete this one if it is not needed"
        )


def _check_scene(seed: int, index: int, size_px: int) -> None:
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise UsageError(
            f"scene size: expected {MIN_SIZE_PX} to {MAX_SIZE_PX} pixels, got {size_px}; choose a size in that range"
        )
    for name, value in (("seed", seed), ("index", index)):
        if value < 0:
            raise UsageError(f"scene {name}: expected 0 or more, got {value}; choose another {name}")


def _check_set(count: int, val_share: float) -> None:
    if count < 2:
        raise UsageError(
            f"scene count: expected 2 or more, one for train and one for val, got {count}; choose a larger count"
        )
    if not (math.isfinite(val_share) and 0.0 < val_share < 1.0):
        raise UsageError(f"val share of the scenes: expected over 0 and under 1, got {val_share}; 0.2 is usual")


def _check_folder(out: Path, names: set[str]) -> None:
    """Refuses a folder that holds a file which is not one of `names`."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: expected a folder for the scenes, got a file; choose another path")
    for path in _files(out):
        name = path.relative_to(out).as_posix()
        leftover = _TEMPORARY.fullmatch(path.name)
        meant = path.with_name(leftover[1]).relative_to(out).as_posix() if leftover else name
        if meant not in names:
            raise UsageError(
                f"{out}: expected a new or empty folder, or one with the same {len(names)} scenes, got one that also "
                f"holds {name}; choose another folder, or delete this one if it is not needed"
            )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir()) if folder.exists() else iter(())
