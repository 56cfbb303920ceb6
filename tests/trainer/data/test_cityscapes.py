"""The table against facts published with the data set: 30 classes in 8 groups, 5 void extras, 19 evaluated."""

from collections import Counter

from trainer.data.cityscapes import CITYSCAPES


def test_table_ids_are_complete_and_in_order() -> None:
    assert [entry.id for entry in CITYSCAPES] == [*range(34), -1]
    assert len({entry.name for entry in CITYSCAPES}) == 35


def test_table_categories_hold_the_published_counts() -> None:
    # license plate is the 8th vehicle besides car, truck, bus, caravan, trailer, train, motorcycle, bicycle
    assert Counter(entry.category for entry in CITYSCAPES) == {
        "void": 7,
        "flat": 4,
        "construction": 6,
        "object": 4,
        "nature": 2,
        "sky": 1,
        "human": 2,
        "vehicle": 9,
    }
    by_id = {entry.category_id: entry.category for entry in CITYSCAPES}
    assert [by_id[each] for each in range(8)] == list(dict.fromkeys(entry.category for entry in CITYSCAPES))


def test_table_train_ids_are_nineteen_and_not_ignored() -> None:
    evaluated = [entry for entry in CITYSCAPES if not entry.ignored]
    assert [entry.train_id for entry in evaluated] == list(range(19))
    assert {entry.train_id for entry in CITYSCAPES if entry.ignored} == {255, -1}


def test_table_colours_that_are_shared_are_the_known_ones() -> None:
    names: dict[tuple[int, int, int], list[str]] = {}
    for entry in CITYSCAPES:
        names.setdefault(entry.colour, []).append(entry.name)
    assert [shared for shared in names.values() if len(shared) > 1] == [
        ["unlabeled", "ego vehicle", "rectification border", "out of roi", "static"],
        ["pole", "polegroup"],
        ["car", "license plate"],
    ]


def test_table_wall_is_the_published_blue_grey() -> None:
    assert next(entry.colour for entry in CITYSCAPES if entry.name == "wall") == (102, 102, 156)
