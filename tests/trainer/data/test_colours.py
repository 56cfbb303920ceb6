"""The definition of the nearest colour in int64, and masks whose true labels are known, saved as the real ones are."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from runtime.errors import DataError, UsageError
from trainer.data.cityscapes import CITYSCAPES
from trainer.data.colours import Unsure, colour_indices, labels_from_colours
from trainer.data.label_space import LabelSpace, label_space
from trainer.data.synthetic import render_scene

NAMES = label_space("names")
COLOURS = np.array(NAMES.colours, np.uint8)
PLACE = {entry.name: NAMES.colours.index(entry.colour) for entry in CITYSCAPES}
MODES: tuple[Unsure, ...] = ("nearby", "nearest", "ignore")


def brute_force(mask_hwc: np.ndarray, space: LabelSpace) -> np.ndarray:
    """The definition itself, in int64: argmin takes the first of equal distances."""
    colours = np.array(space.colours, np.int64)
    distances = ((mask_hwc[:, :, None].astype(np.int64) - colours) ** 2).sum(axis=-1)
    return np.array(space.class_of_colour)[distances.argmin(axis=-1)]


def through_jpeg(places_hw: np.ndarray, subsampling: str = "4:2:0") -> NDArray[np.uint8]:
    """The mask of a pair as it comes back: beside a photo of noise, in a JPEG of quality 95."""
    photo = np.random.default_rng(0).integers(0, 256, (*places_hw.shape, 3), dtype=np.uint8)
    stream = io.BytesIO()
    pair = Image.fromarray(np.concatenate([photo, COLOURS[places_hw]], axis=1))
    pair.save(stream, "JPEG", quality=95, subsampling=subsampling)
    return np.ascontiguousarray(np.array(Image.open(stream))[:, places_hw.shape[1] :])


def paint(places: np.ndarray, name: str, top: float, left: float, height: float, width: float) -> None:
    places[max(int(top), 0) : int(top + height), max(int(left), 0) : int(left + width)] = PLACE[name]


def street(seed: int, size: int = 256) -> NDArray[np.int64]:
    """Places in the table `[size, size]`: borders wherever a street has them, and things one to ten pixels wide."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    places = np.full((size, size), PLACE["building"])
    places[rows < 60 + 20 * np.sin(columns / rng.uniform(8, 30)) + rng.integers(0, 5, size)] = PLACE["sky"]
    for _ in range(14):  # treetops with ragged edges, walls behind them
        y, x, radius = rng.integers(30, 140), rng.integers(0, size), rng.uniform(6, 28)
        angle = np.arctan2(rows - y, columns - x)
        edge = radius * (1 + 0.25 * np.sin(5 * angle + rng.uniform(0, 6)) + 0.15 * np.sin(13 * angle))
        kind = rng.choice(["vegetation", "vegetation", "vegetation", "terrain", "wall", "fence"])
        places[np.hypot(rows - y, columns - x) < edge] = PLACE[kind]
    horizon = rng.integers(140, 165)
    paint(places, "sidewalk", horizon, 0, size, size)
    places[(rows >= horizon) & (abs(columns - size / 2) < 1.6 * (rows - horizon) + 10)] = PLACE["road"]
    for _ in range(9):
        kind = rng.choice(["car", "car", "car", "truck", "bus", "bicycle", "motorcycle"])
        width = rng.integers(8, 44)
        paint(places, kind, rng.integers(125, 200), rng.integers(-5, size), 0.6 * width, width)
    for _ in range(10):
        height = rng.integers(8, 44)
        y, x = rng.integers(110, 190), rng.integers(0, size)
        body = np.hypot((columns - x) / (0.175 * height), (rows - y) / (0.5 * height)) < 1
        places[body] = PLACE[rng.choice(["person", "person", "rider"])]
    for _ in range(12):
        top, left = rng.integers(20, 120), rng.integers(0, size - 10)
        paint(places, "pole", top, left, rng.integers(30, 110), rng.integers(1, 4))
        side = rng.integers(3, 11)
        paint(places, rng.choice(["traffic sign", "traffic light"]), top, left - side / 2, side, side)
    paint(places, "unlabeled", 244, 0, 12, size)
    return places


def right_share(places: list[np.ndarray], unsure: Unsure) -> float:
    found = [colour_indices(through_jpeg(each), NAMES.colours, unsure)[0] for each in places]
    return float(np.mean(np.stack(found) == np.stack(places)))


def iou(places: np.ndarray, unsure: Unsure, *names: str) -> float:
    space = label_space("names")
    found = labels_from_colours(through_jpeg(places), space, unsure)
    truth = labels_from_colours(COLOURS[places], space)
    ids = [space.classes.index(name) for name in names]
    return np.isin(found, ids)[np.isin(truth, ids)].sum() / (np.isin(found, ids) | np.isin(truth, ids)).sum()


def test_labels_from_colours_street_masks_as_jpeg_are_right_on_98_percent() -> None:
    places = [street(seed) for seed in range(4)]
    assert right_share(places, "nearby") > 0.992  # 0.994 when this was written; the nearest alone 0.960
    assert right_share(places, "nearest") < 0.965


def test_labels_from_colours_rendered_scenes_as_jpeg_are_right_on_98_percent() -> None:
    key = COLOURS.astype(np.int64) @ (65536, 256, 1)
    order = np.argsort(key)
    masks = [render_scene(5, index, 256)[1] for index in range(2)]
    places = [order[np.searchsorted(key[order], mask.astype(np.int64) @ (65536, 256, 1))] for mask in masks]
    assert right_share(places, "nearby") > 0.992
    assert right_share(places, "nearest") < 0.98


@pytest.mark.parametrize(
    ("names", "least_gain"), [(("pole",), 0.08), (("traffic sign", "traffic light"), 0.15), (("person", "rider"), 0.05)]
)
def test_labels_from_colours_thin_things_gain_from_their_surroundings(
    names: tuple[str, ...], least_gain: float
) -> None:
    places = street(11)
    nearest, nearby, ignore = (iou(places, mode, *names) for mode in ("nearest", "nearby", "ignore"))
    assert nearby > 0.93
    assert nearby > nearest + least_gain
    assert ignore < nearest  # the edges that are given up are most of a thin thing


def test_labels_from_colours_pole_before_a_tree_is_found_though_it_is_sure_nowhere() -> None:
    places = np.full((48, 48), PLACE["vegetation"])
    places[:, 21] = PLACE["pole"]
    indices, unsure = colour_indices(through_jpeg(places), NAMES.colours)
    assert unsure[:, 21].all()
    assert (indices == places).mean() > 0.99


@pytest.mark.parametrize(
    ("around", "within"), [("building", "traffic sign"), ("road", "car"), ("building", "car"), ("sky", "building")]
)
def test_labels_from_colours_between_two_colours_no_third_is_invented(around: str, within: str) -> None:
    """A blend of two is nearest to others: a car's edge before a house has the very colour of a truck."""
    places = np.full((64, 64), PLACE[around])
    places[20:40, 13:41] = PLACE[within]
    mask = through_jpeg(places)
    assert set(np.unique(colour_indices(mask, NAMES.colours, "nearest")[0])) > {PLACE[around], PLACE[within]}
    np.testing.assert_array_equal(colour_indices(mask, NAMES.colours)[0], places)


def test_labels_from_colours_full_chroma_jpeg_loses_hardly_a_pixel() -> None:
    places = street(3)
    indices, _ = colour_indices(through_jpeg(places, "4:4:4"), NAMES.colours)
    assert (indices == places).mean() > 0.999


def test_labels_from_colours_ignore_gives_255_where_unsure_and_nearest_elsewhere() -> None:
    space, mask = label_space("categories"), through_jpeg(street(4))
    labels, unsure = labels_from_colours(mask, space, "ignore"), colour_indices(mask, space.colours)[1]
    distances = ((mask[:, :, None].astype(np.int64) - COLOURS) ** 2).sum(axis=-1).min(axis=-1)
    np.testing.assert_array_equal(unsure, distances > 18**2)
    assert (labels[unsure] == 255).all()
    np.testing.assert_array_equal(labels[~unsure], brute_force(mask, space)[~unsure])


def test_labels_from_colours_nothing_sure_around_still_gets_a_label() -> None:
    mask = np.full((6, 6, 3), (200, 90, 10), np.uint8)  # 50 and more from any colour
    space = label_space("names")
    assert colour_indices(mask, space.colours)[1].all()
    assert (labels_from_colours(mask, space) != 255).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from(MODES))
def test_colour_indices_exact_colours_come_back_in_every_mode(height: int, width: int, seed: int, mode: Unsure) -> None:
    places = np.random.default_rng(seed).integers(0, len(COLOURS), (height, width))
    indices, unsure = colour_indices(COLOURS[places], NAMES.colours, mode)
    np.testing.assert_array_equal(indices, places)
    assert not unsure.any()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_colour_indices_nearby_where_all_are_sure_is_the_nearest(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.clip(COLOURS[rng.integers(0, 29, (height, width))] + rng.integers(-9, 10, (height, width, 3)), 0, 255)
    nearby, unsure = colour_indices(mask.astype(np.uint8), NAMES.colours)
    assert not unsure.any()  # 9 * sqrt(3) < 18
    np.testing.assert_array_equal(nearby, colour_indices(mask.astype(np.uint8), NAMES.colours, "nearest")[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_colour_indices_any_pixels_give_places_in_the_table(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for mode in MODES:
        indices, unsure = colour_indices(mask, NAMES.colours, mode)
        assert indices.shape == unsure.shape == (height, width)
        assert indices.max() < 29


@pytest.mark.parametrize("name", ["categories", "cityscapes", "names"])
def test_labels_from_colours_exact_colours_are_their_own_class(name: str) -> None:
    space = label_space(name)
    mask = np.array([[entry.colour for entry in CITYSCAPES]], np.uint8)
    labels = labels_from_colours(mask, space)[0]
    for entry, label in zip(CITYSCAPES, labels, strict=True):
        owner = None if label == 255 else space.members[label]
        assert owner is None or entry.name in owner
        assert (owner is None) == (not any(entry.name in members for members in space.members))


@pytest.mark.parametrize("name", ["categories", "cityscapes", "names"])
def test_labels_from_colours_nearest_of_random_pixels_equals_brute_force(name: str) -> None:
    space = label_space(name)
    mask = np.random.default_rng(7).integers(0, 256, (130, 257, 3), dtype=np.uint8)
    corners = np.stack(np.meshgrid([0, 1, 127, 254, 255], [0, 128, 255], [0, 142, 255]), -1).reshape(-1, 3)
    mask[0, : len(corners)] = corners
    np.testing.assert_array_equal(labels_from_colours(mask, space, "nearest"), brute_force(mask, space))


def test_labels_from_colours_ties_go_to_the_first_of_the_table() -> None:
    space = label_space("names")
    colours = np.array(space.colours, np.int64)
    mask = np.random.default_rng(8).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    distances = ((mask[:, :, None].astype(np.int64) - colours) ** 2).sum(axis=-1)
    ties = (distances == distances.min(axis=-1, keepdims=True)).sum(axis=-1) > 1
    assert ties.sum() > 20  # the sample does hold the case
    labels = labels_from_colours(mask, space, "nearest")
    np.testing.assert_array_equal(labels[ties], brute_force(mask, space)[ties])


def test_labels_from_colours_nearest_ignored_colour_is_not_given_to_the_next() -> None:
    near_ground = np.array([[[90, 10, 90]]], np.uint8)  # ground (81,0,81) is void; road is the next nearest
    assert labels_from_colours(near_ground, label_space("categories"))[0, 0] == 255


@pytest.mark.parametrize(
    ("mask", "got"),
    [
        (np.zeros((2, 2, 4), np.uint8), r"uint8 \[2, 2, 4\]"),
        (np.zeros((2, 2), np.uint8), r"uint8 \[2, 2\]"),
        (np.zeros((2, 2, 3), np.float32), r"float32 \[2, 2, 3\]"),
    ],
)
def test_labels_from_colours_other_arrays_are_refused(mask: np.ndarray, got: str) -> None:
    with pytest.raises(DataError, match=got):
        labels_from_colours(mask, label_space("names"))


def test_labels_from_colours_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError, match="one of nearby, nearest, ignore, got 'guess'"):
        labels_from_colours(np.zeros((1, 1, 3), np.uint8), label_space("names"), "guess")  # type: ignore[arg-type]


def test_labels_from_colours_more_colours_than_the_score_holds_are_refused() -> None:
    colours = tuple((value, 0, 0) for value in range(33))
    space = LabelSpace("wide", ("a",), ((0, 0, 0),), (("a",),), colours, (0,) * 33)
    with pytest.raises(UsageError, match="at most 32 distinct mask colours, got 33"):
        labels_from_colours(np.zeros((1, 1, 3), np.uint8), space)


def test_colours_of_a_lone_odd_pixel_leave_the_rest_of_an_exact_mask_alone() -> None:
    """A vote everywhere would turn thin cars between buses, of like luma, into buses."""
    space = label_space("cityscapes")
    bus, truck = (np.array(space.colours[space.colours.index(colour)]) for colour in ((0, 60, 100), (0, 0, 230)))
    mask = np.tile(bus.astype(np.uint8), (40, 40, 1))
    mask[::6, :] = truck  # one row in six: outvoted by its surroundings
    exact = labels_from_colours(mask, space)
    mask[20, 20] = (255, 0, 255)  # no colour of the table
    changed = labels_from_colours(mask, space) != exact
    rows, columns = np.nonzero(changed)
    assert np.abs(rows - 20).max(initial=0) <= 3
    assert np.abs(columns - 20).max(initial=0) <= 3
    assert len(np.unique(exact)) == 2
