import pytest

from runtime.errors import UsageError
from trainer.data.cityscapes import CITYSCAPES
from trainer.data.label_space import label_space


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
    with pytest.raises(UsageError, match=r"categories, cityscapes, names, camvid, got 'coco'"):
        label_space("coco")


def test_label_space_camvid_is_eleven_classes_and_one_ignored_id() -> None:
    space = label_space("camvid")
    assert space.classes[:4] == ("Sky", "Building", "Pole", "Road")
    assert space.classes[10] == "Bicyclist"
    assert dict(zip(space.ids, space.class_of_id, strict=True)) == {label: label for label in range(11)} | {11: 255}
    assert len(set(space.palette)) == len(space.classes) == len(space.members) == 11


def test_label_space_ids_follow_the_colours_but_for_what_a_colour_can_not_tell() -> None:
    for name in ("categories", "cityscapes", "names"):
        space = label_space(name)
        by_colour = dict(zip(space.colours, space.class_of_colour, strict=True))
        by_id = dict(zip(space.ids, space.class_of_id, strict=True))
        assert by_id.keys() == {*range(34), 255}
        told_apart = {row.name for row in CITYSCAPES if row.id >= 0 and by_id[row.id] != by_colour[row.colour]}
        assert told_apart == ({"polegroup"} if name == "cityscapes" else set())
        assert by_id[255] == 255
