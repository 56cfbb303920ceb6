"""trainer/data/synthetic.py and trainer/data/scenes: determinism, exact labels, what is in a scene, files on disk."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import UsageError
from trainer.data.cityscapes import CITYSCAPES
from trainer.data.scenes.camera import Camera
from trainer.data.scenes.canvas import CLASS_NUMBER, Canvas
from trainer.data.scenes.ground import Side, Street, paint_ground, paint_shadows
from trainer.data.scenes.stage import Footprint, Stage, rectangle
from trainer.data.scenes.weather import Weather
from trainer.data.synthetic import render_scene, write_scenes

SEED = 11
SCENES = 30
SIDE_PX = 128
TABLE = {entry.colour for entry in CITYSCAPES}
CATEGORIES = ("flat", "construction", "object", "nature", "sky", "human", "vehicle")

NOON = Weather(
    sun=(0.0, 1.0, 0.0),
    sunlight=(0.5, 0.5, 0.5),
    skylight=(0.5, 0.5, 0.5),
    zenith=(60, 110, 190),
    haze=(200, 200, 200),
    haze_per_m=0.0,
    cloudiness=0.0,
    lit_windows=0.0,
)


@pytest.fixture(scope="module")
def scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    return [render_scene(SEED, index, SIDE_PX) for index in range(SCENES)]


def categories_of(mask: np.ndarray) -> np.ndarray:
    """Category of each pixel as its place in CATEGORIES, -1 for void; by exact colour, without segtool's own reader."""
    found = np.full(mask.shape[:2], -1)
    for entry in CITYSCAPES:
        if entry.category in CATEGORIES:
            found[(mask == entry.colour).all(axis=-1)] = CATEGORIES.index(entry.category)
    return found


def colours_in(mask: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(mask.reshape(-1, 3), axis=0).tolist()}


def nearest_table_colour(picture: np.ndarray) -> np.ndarray:
    table = np.array(sorted(TABLE), dtype=np.int64)
    away = ((picture[:, :, None, :].astype(np.int64) - table) ** 2).sum(axis=-1)
    return table[away.argmin(axis=-1)].astype(np.uint8)


def test_render_scene_drawn_again_in_another_order_gives_the_same_bytes(scenes: list) -> None:
    for index in (7, 0, 3):
        photo, mask = render_scene(SEED, index, SIDE_PX)
        assert photo.tobytes() == scenes[index][0].tobytes()
        assert mask.tobytes() == scenes[index][1].tobytes()


def test_render_scene_of_another_seed_or_index_gives_another_scene(scenes: list) -> None:
    drawn = [*(mask.tobytes() for _, mask in scenes), render_scene(SEED + 1, 0, SIDE_PX)[1].tobytes()]
    assert len(set(drawn)) == SCENES + 1


@pytest.mark.parametrize("size_px", [32, 100, 127, 256, 1024])
def test_render_scene_of_any_size_gives_square_rgb_and_only_table_colours(size_px: int) -> None:
    photo, mask = render_scene(3, 5, size_px)
    for picture in (photo, mask):
        assert picture.shape == (size_px, size_px, 3)
        assert picture.dtype == np.uint8
    assert colours_in(mask) <= TABLE
    assert photo.std() > 15


def test_render_scene_at_two_sizes_shows_the_same_scene(scenes: list) -> None:
    _, larger = render_scene(SEED, 4, 2 * SIDE_PX)
    same = (categories_of(larger)[::2, ::2] == categories_of(scenes[4][1])).mean()
    other = (categories_of(larger)[::2, ::2] == categories_of(scenes[5][1])).mean()
    assert same > 0.95 > other


def test_masks_over_thirty_scenes_hold_table_colours_alone(scenes: list) -> None:
    for _, mask in scenes:
        assert colours_in(mask) <= TABLE


@pytest.mark.parametrize(
    ("category", "least", "most", "present"),
    [
        ("flat", 0.33, 0.55, 1.0),
        ("construction", 0.08, 0.32, 0.9),
        ("object", 0.02, 0.08, 0.95),
        ("nature", 0.04, 0.22, 0.85),
        ("sky", 0.06, 0.28, 0.9),
        ("human", 0.008, 0.06, 0.9),
        ("vehicle", 0.03, 0.20, 0.9),
    ],
)
def test_masks_over_thirty_scenes_hold_each_category_in_a_sensible_share(
    scenes: list, category: str, least: float, most: float, present: float
) -> None:
    shares = np.array([(categories_of(mask) == CATEGORIES.index(category)).mean() for _, mask in scenes])
    assert least < shares.mean() < most
    assert (shares > 0).mean() >= present


def test_masks_over_thirty_scenes_show_the_bonnet_as_void_at_the_bottom_of_some(scenes: list) -> None:
    with_bonnet = 0
    for _, mask in scenes:
        void = (mask == 0).all(axis=-1)
        assert not void[: SIDE_PX * 9 // 10].any()
        with_bonnet += bool(void.any())
    assert 3 <= with_bonnet <= SCENES - 10


def test_photo_and_mask_have_their_edges_in_the_same_places(scenes: list) -> None:
    """The photo's mean step across label borders is largest where the mask is not shifted."""

    def step_at_borders(right: int, down: int) -> float:
        steps = []
        for photo, mask in scenes[:15]:
            grey = photo.mean(axis=-1)
            shifted = np.roll(categories_of(mask), (down, right), axis=(0, 1))
            inner = (slice(4, -4), slice(4, -4))
            for axis in (0, 1):
                border = (np.diff(shifted, axis=axis) != 0)[inner]
                steps.append(np.abs(np.diff(grey, axis=axis))[inner][border].mean())
        return float(np.mean(steps))

    in_place = step_at_borders(0, 0)
    for shift in [(-2, 0), (-1, 0), (1, 0), (2, 0), (0, -2), (0, -1), (0, 1), (0, 2)]:
        assert step_at_borders(*shift) < 0.9 * in_place, shift


def test_photo_under_sky_and_leaves_has_their_colours(scenes: list) -> None:
    sky_brighter, leaves_greener = [], []
    for photo, mask in scenes:
        pixels, found = photo.astype(float), categories_of(mask)
        sky, flat, leaves = (found == CATEGORIES.index(name) for name in ("sky", "flat", "nature"))
        sky_brighter.append(pixels[sky].mean() > pixels[flat].mean())
        if leaves.sum() > 200:
            green_over_blue = pixels[..., 1] - pixels[..., 2]
            leaves_greener.append(green_over_blue[leaves].mean() > 4 + green_over_blue[flat].mean())
    assert np.mean(sky_brighter) > 0.9
    assert np.mean(leaves_greener) > 0.85


# --- the parts, with hand-made scenes


def camera_of(side_px: int) -> Camera:
    """Focal length of one side, horizon in the middle, lens 1.5 m over the street's middle."""
    return Camera(
        side_px=side_px,
        focal_px=float(side_px),
        vanishing_px=(side_px / 2, side_px / 2),
        height_m=1.5,
        lateral_m=0.0,
        bend_per_m=0.0,
    )


def stage_of(side_px: int, weather: Weather = NOON) -> Stage:
    canvas = Canvas(side_px, 2)
    return Stage(
        camera=camera_of(2 * side_px), weather=weather, canvas=canvas, rng=np.random.default_rng(0), foliage=()
    )


def plain_street() -> Street:
    """One lane each way, 6.6 m in all, with pavements of 2 m and grass behind; asphalt of grey 100."""

    def side(sign: int) -> Side:
        return Side(
            sign=sign,
            verge_m=0.0,
            pavement_m=2.0,
            garden_m=5.0,
            garden="terrain",
            pavement_colour=(150, 150, 150),
            grass_colour=(100, 120, 60),
        )

    return Street(
        lanes=1,
        parking_m=0.0,
        parking_name="road",
        sides=(side(-1), side(1)),
        asphalt=(100, 100, 100),
        crossing_m=None,
        edge_lines=False,
        patches=(),
    )


def test_camera_hand_made_points_land_where_similar_triangles_say() -> None:
    # 100 px focal length: at 10 m one metre takes 10 px; the road lies 1.5 m, so 15 px, under the horizon at 50
    points = np.array([(0.0, 0.0, 10.0), (2.0, 0.0, 10.0), (-1.0, 1.5, 20.0)])
    expected = [[50.0, 65.0], [70.0, 65.0], [45.0, 50.0]]
    camera = camera_of(100)
    np.testing.assert_allclose(camera.project(points), expected)
    np.testing.assert_allclose(np.reshape(camera.outline(points.tolist()), (3, 2)), expected)
    s, z = camera.ground_under(np.array([70.0]), np.array([65.0]))
    np.testing.assert_allclose((s[0], z[0]), (2.0, 10.0))


def test_canvas_nearer_shape_takes_colour_and_class_of_the_same_pixels() -> None:
    canvas = Canvas(8, 2)
    canvas.polygon([0, 0, 15, 0, 15, 15, 0, 15], (10, 20, 30), "building")
    canvas.polygon([4, 4, 11, 4, 11, 11, 4, 11], (200, 100, 50), "car")  # final pixels 2..5 in both directions
    inside = np.zeros((8, 8), dtype=bool)
    inside[2:6, 2:6] = True
    assert ((canvas.classes() == CLASS_NUMBER["car"]) == inside).all()
    assert (canvas.classes()[~inside] == CLASS_NUMBER["building"]).all()
    assert ((canvas.photo() == (200, 100, 50)).all(axis=-1) == inside).all()


def test_canvas_darkened_keeps_its_classes() -> None:
    canvas = Canvas(4, 2)
    canvas.polygon([0, 0, 8, 0, 8, 8, 0, 8], (200, 100, 50), "road")
    canvas.darken(Image.new("L", (4, 4), 128))
    assert (canvas.classes() == CLASS_NUMBER["road"]).all()
    np.testing.assert_allclose(canvas.photo()[0, 0], (100, 50, 25), atol=1)


def test_ground_hand_made_street_has_road_in_the_middle_and_kerbs_where_expected() -> None:
    stage = stage_of(200)
    paint_ground(stage, plain_street())
    classes = stage.canvas.classes()
    assert (classes[110:, 90:110] == CLASS_NUMBER["road"]).all()
    # row 160 is 60.5 px under the horizon: 200 * 1.5 / 60.5 = 5 m ahead, 40 px a metre, kerbs 132 px off: outside
    assert (classes[160] == CLASS_NUMBER["road"]).all()
    # row 120 is 20.5 px under it: 14.6 m ahead, 13.7 px a metre, kerbs 45 px off the middle; pavement from there
    on_road = np.flatnonzero(classes[120] == CLASS_NUMBER["road"])
    assert abs(on_road.min() - (100 - 45)) <= 1
    assert abs(on_road.max() - (100 + 45)) <= 1
    assert classes[120, 100 + 45 + 10] == CLASS_NUMBER["sidewalk"]
    # level with the kerb's top, 1.37 m under the lens, the pavement's 5.3 m end 13.4 m ahead: 79 px off the middle
    assert classes[120, 100 + 79 - 6] == CLASS_NUMBER["sidewalk"]
    assert classes[120, 100 + 79 + 6] == CLASS_NUMBER["terrain"]


def test_shadow_of_a_block_darkens_the_side_away_from_the_sun_alone() -> None:
    low_sun_from_the_left = Weather(**{**vars(NOON), "sun": (-0.7071, 0.7071, 0.0)})
    stage = stage_of(200, low_sun_from_the_left)
    paint_ground(stage, plain_street())
    before, classes = stage.canvas.photo().astype(int), stage.canvas.classes().copy()
    # 1 m wide and 1 m high, 10 m ahead: its shadow reaches 1 m to the right of it
    paint_shadows(stage, plain_street(), [Footprint(base=rectangle((-0.5, 0.5), (10.0, 11.0)), low_m=0.0, high_m=1.0)])
    darker = (before - stage.canvas.photo()).mean(axis=-1)
    row = 100 + 29  # 200 * 1.5 / 29 = 10.3 m ahead, 19.3 px a metre
    assert darker[row, 100 + 19] > 15  # s = 1.0 m: in the shadow
    assert darker[row, 100 - 19] < 2  # s = -1.0 m: in the sun
    assert (stage.canvas.classes() == classes).all()


def test_weather_surface_turned_from_the_sun_gets_skylight_alone_and_haze_takes_over_far_away() -> None:
    assert NOON.shade((100, 60, 20), (0.0, 1.0, 0.0), 0.0) == (100, 60, 20)
    assert NOON.shade((100, 60, 20), (0.0, -1.0, 0.0), 0.0) == (50, 30, 10)
    hazy = Weather(**{**vars(NOON), "haze_per_m": 0.1})
    assert hazy.shade((100, 60, 20), (0.0, 1.0, 0.0), 200.0) == pytest.approx((200, 200, 200), abs=1)


# --- the files


def files_under(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_write_scenes_writes_numbered_jpeg_pairs_of_both_splits(tmp_path: Path) -> None:
    write_scenes(tmp_path / "out", 10, 64, seed=2)
    names = {f"train/{n}.jpg" for n in range(1, 9)} | {"val/1.jpg", "val/2.jpg"}
    written = files_under(tmp_path / "out")
    assert set(written) == names
    assert len(set(written.values())) == 10
    picture = Image.open(io.BytesIO(written["train/1.jpg"]))
    assert (picture.format, picture.size, picture.mode) == ("JPEG", (128, 64), "RGB")
    assert [layer[1:3] for layer in picture.layer] == [(2, 2), (1, 1), (1, 1)]  # 4:2:0
    reference = io.BytesIO()
    Image.new("RGB", (16, 16)).save(reference, "JPEG", quality=95)
    assert picture.quantization == Image.open(reference).quantization


@pytest.mark.parametrize(
    ("count", "val_share", "val"), [(2, 0.2, 1), (2, 0.9, 1), (3, 0.99, 2), (10, 0.01, 1), (10, 0.5, 5)]
)
def test_write_scenes_of_few_gives_each_split_at_least_one(
    tmp_path: Path, count: int, val_share: float, val: int
) -> None:
    write_scenes(tmp_path, count, 32, seed=0, val_share=val_share)
    assert len(list((tmp_path / "val").iterdir())) == val
    assert len(list((tmp_path / "train").iterdir())) == count - val


def test_write_scenes_read_back_by_nearest_colour_gives_the_mask(tmp_path: Path) -> None:
    write_scenes(tmp_path, 4, 256, seed=SEED)
    same_name = []
    for index, name in enumerate(("train/1.jpg", "train/2.jpg", "train/3.jpg", "val/1.jpg")):
        pair = np.asarray(Image.open(tmp_path / name))
        photo, mask = render_scene(SEED, index, 256)
        read = nearest_table_colour(pair[:, 256:])
        same_name.append((read == mask).all(axis=-1).mean())
        assert (categories_of(read) == categories_of(mask)).mean() > 0.97
        assert np.abs(pair[:, :256].astype(int) - photo).mean() < 6
    assert np.mean(same_name) > 0.96  # the names of one category are harder to tell apart at borders


def test_write_scenes_again_over_the_same_set_leaves_every_file_and_replaces_a_lost_one(tmp_path: Path) -> None:
    write_scenes(tmp_path, 4, 32, seed=5)
    before = files_under(tmp_path)
    kept = (tmp_path / "train" / "1.jpg").stat().st_mtime_ns
    (tmp_path / "train" / "2.jpg").unlink()
    (tmp_path / "train" / ".2.jpg.abc123.tmp").write_bytes(b"half")  # as an interrupted write leaves it
    write_scenes(tmp_path, 4, 32, seed=5)
    (tmp_path / "train" / ".2.jpg.abc123.tmp").unlink()
    assert files_under(tmp_path) == before
    assert (tmp_path / "train" / "1.jpg").stat().st_mtime_ns == kept


@pytest.mark.parametrize("name", ["notes.txt", "train/9.jpg", "test/1.jpg", "train/deep/1.jpg", ".hidden"])
def test_write_scenes_into_a_folder_with_another_file_is_refused_and_changes_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match=rf"also holds {name}; choose another folder"):
        write_scenes(tmp_path, 4, 32, seed=0)
    assert files_under(tmp_path) == {name: b"mine"}


def test_write_scenes_over_another_set_of_the_same_size_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    write_scenes(tmp_path, 3, 32, seed=0)
    before = files_under(tmp_path)
    with pytest.raises(UsageError, match=r"train/1\.jpg: expected to be missing or equal"):
        write_scenes(tmp_path, 3, 32, seed=1)
    assert files_under(tmp_path) == before


def test_write_scenes_to_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(UsageError, match="out: expected a folder for the scenes, got a file"):
        write_scenes(tmp_path / "out", 4, 32, seed=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: render_scene(0, 0, 31), "32 to 1024 pixels, got 31"),
        (lambda _: render_scene(0, 0, 1025), "32 to 1024 pixels, got 1025"),
        (lambda _: render_scene(-1, 0, 64), "seed: expected 0 or more, got -1"),
        (lambda _: render_scene(0, -2, 64), "index: expected 0 or more, got -2"),
        (lambda out: write_scenes(out, 1, 64, seed=0), "count: expected 2 or more.*got 1"),
        (lambda out: write_scenes(out, 4, 16, seed=0), "32 to 1024 pixels, got 16"),
        (lambda out: write_scenes(out, 4, 64, seed=-3), "seed: expected 0 or more, got -3"),
        (lambda out: write_scenes(out, 4, 64, seed=0, val_share=0.0), "under 1, got 0.0"),
        (lambda out: write_scenes(out, 4, 64, seed=0, val_share=1.0), "under 1, got 1.0"),
        (lambda out: write_scenes(out, 4, 64, seed=0, val_share=float("nan")), "under 1, got nan"),
    ],
)
def test_argument_out_of_range_is_refused_before_anything_is_written(
    tmp_path: Path, call: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        call(tmp_path / "out")
    assert not (tmp_path / "out").exists()
