import numpy as np
import pytest

from runtime.errors import DataError, UsageError
from trainer.data.cityscapes import CITYSCAPES
from trainer.data.label_space import LabelSpace, label_space, labels_from_colours


def brute_force(mask_hwc: np.ndarray, space: LabelSpace) -> np.ndarray:
    """The definition itself, in int64: argmin takes the first of equal distances."""
    colours = np.array(space.colours, np.int64)
    distances = ((mask_hwc[:, :, None].astype(np.int64) - colours) ** 2).sum(axis=-1)
    return np.array(space.class_of_colour)[distances.argmin(axis=-1)]


def test_label_space_categories_are_seven_and_void_is_ignored() -> None:
    space = label_space("categories")
    assert space.classes == ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
    assert space.members[2] == ("pole", "polegroup", "traffic light", "traffic sign")
    ignored = {colour for colour, label in zip(space.colours, space.class_of_colour, strict=True) if label == 255}
    assert ignored == {(0, 0, 0), (111, 74, 0), (81, 0, 81)}


def test_label_space_cityscapes_are_the_evaluated_in_train_id_order() -> None:
    space = label_space("cityscapes")
    assert len(space.classes) == 19
    assert space.classes[:3] == ("road", "sidewalk", "building")
    assert space.classes[18] == "bicycle"
    assert space.members[5] == ("pole", "polegroup")
    assert space.members[13] == ("car", "license plate")
    assert space.class_of_colour[space.colours.index((250, 170, 160))] == 255  # parking is not evaluated


def test_label_space_names_are_every_distinct_colour_but_black() -> None:
    space = label_space("names")
    assert len(space.classes) == 28
    assert space.classes[:3] == ("dynamic", "ground", "road")
    assert {members for members in space.members if len(members) > 1} == {
        ("pole", "polegroup"),
        ("car", "license plate"),
    }
    assert [colour for colour, label in zip(space.colours, space.class_of_colour, strict=True) if label == 255] == [
        (0, 0, 0)
    ]


@pytest.mark.parametrize("name", ["categories", "cityscapes", "names"])
def test_label_space_any_has_one_palette_colour_a_class(name: str) -> None:
    space = label_space(name)
    assert len(space.palette) == len(set(space.palette)) == len(space.classes) == len(space.members)
    assert len(space.colours) == len(set(space.colours)) == len(space.class_of_colour) == 29
    for label, colour in enumerate(space.palette):  # a class drawn in its palette and read back is that class
        assert space.class_of_colour[space.colours.index(colour)] == label


def test_label_space_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"categories, cityscapes, names, got 'camvid'"):
        label_space("camvid")


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
def test_labels_from_colours_random_pixels_equal_brute_force(name: str) -> None:
    space = label_space(name)
    mask = np.random.default_rng(7).integers(0, 256, (130, 257, 3), dtype=np.uint8)
    corners = np.stack(np.meshgrid([0, 1, 127, 254, 255], [0, 128, 255], [0, 142, 255]), -1).reshape(-1, 3)
    mask[0, : len(corners)] = corners
    np.testing.assert_array_equal(labels_from_colours(mask, space), brute_force(mask, space))


def test_labels_from_colours_ties_go_to_the_first_of_the_table() -> None:
    space = label_space("names")
    colours = np.array(space.colours, np.int64)
    mask = np.random.default_rng(8).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    distances = ((mask[:, :, None].astype(np.int64) - colours) ** 2).sum(axis=-1)
    ties = (distances == distances.min(axis=-1, keepdims=True)).sum(axis=-1) > 1
    assert ties.sum() > 20  # the sample does hold the case
    np.testing.assert_array_equal(labels_from_colours(mask, space)[ties], brute_force(mask, space)[ties])


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


def test_labels_from_colours_more_colours_than_the_score_holds_are_refused() -> None:
    colours = tuple((value, 0, 0) for value in range(33))
    space = LabelSpace("wide", ("a",), ((0, 0, 0),), (("a",),), colours, (0,) * 33)
    with pytest.raises(UsageError, match="at most 32 distinct mask colours, got 33"):
        labels_from_colours(np.zeros((1, 1, 3), np.uint8), space)
