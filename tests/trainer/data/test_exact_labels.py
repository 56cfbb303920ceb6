import numpy as np
import pytest

from runtime.errors import DataError
from trainer.data.cityscapes import CITYSCAPES
from trainer.data.exact_labels import Stray, exact_labels, require_no_stray
from trainer.data.label_space import LabelSpace, label_space

COLOURS = ((250, 0, 0), (0, 0, 0), (0, 200, 0))  # not sorted, so that the order of the table is put to the test


def own(ids: tuple[int, ...] = (), colours: tuple[tuple[int, int, int], ...] = ()) -> LabelSpace:
    """Labels 0 and 1 for the first and third value, the second ignored."""
    labels = (0, 255, 1)
    return LabelSpace(
        "own",
        ("a", "b"),
        ((1, 1, 1), (2, 2, 2)),
        (("a",), ("b",)),
        colours,
        labels if colours else (),
        ids,
        labels if ids else (),
    )


def test_exact_labels_ids_of_16_bits_go_by_the_table() -> None:
    labels, strays = exact_labels(np.array([[300, 0, 65535]], np.uint16), own(ids=(300, 0, 65535)))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 255, 1]]
    assert strays == ()


def test_exact_labels_colours_go_by_the_table() -> None:
    mask = np.array([[COLOURS[2], COLOURS[0]], [COLOURS[1], COLOURS[2]]], np.uint8)
    labels, strays = exact_labels(mask, own(colours=COLOURS))
    assert labels.tolist() == [[1, 0], [255, 1]]
    assert strays == ()


def test_exact_labels_unknown_ids_are_told_with_first_place_and_count() -> None:
    mask = np.full((4, 6), 7, np.uint8)
    mask[2, 5], mask[3, 0], mask[1, 3] = 9, 9, 8
    labels, strays = exact_labels(mask, own(ids=(7, 0, 1)))
    assert strays == (Stray(value=8, x=3, y=1, count=1), Stray(value=9, x=5, y=2, count=2))
    assert (labels == 255).sum() == 3
    with pytest.raises(
        DataError, match=r"m\.png: .* got value 8 at x 3, y 1 \(1 pixel\), value 9 at x 5, y 2 \(2 pixels\); correct"
    ):
        require_no_stray(strays, "m.png")


def test_exact_labels_unknown_colour_is_told_with_first_place_and_count() -> None:
    mask = np.zeros((3, 5, 3), np.uint8)
    mask[1, 4] = mask[2, 0] = (250, 0, 1)
    labels, strays = exact_labels(mask, own(colours=COLOURS))
    assert strays == (Stray(value=(250, 0, 1), x=4, y=1, count=2),)
    assert (labels == 255).all()
    with pytest.raises(DataError, match=r"value \(250, 0, 1\) at x 4, y 1 \(2 pixels\)"):
        require_no_stray(strays, "m.png")


def test_require_no_stray_many_values_are_cut() -> None:
    _, strays = exact_labels(np.arange(10, dtype=np.uint8)[None], own(ids=(0, 1, 2)))
    assert len(strays) == 7
    with pytest.raises(DataError, match=r"value 5 at x 5, y 0 \(1 pixel\), \.\.\.; correct"):
        require_no_stray(strays, "m.png")


def test_exact_labels_cityscapes_ids_equal_the_published_train_ids() -> None:
    rows = [entry for entry in CITYSCAPES if entry.id >= 0]
    labels, strays = exact_labels(np.array([[entry.id for entry in rows] + [255]], np.uint8), label_space("cityscapes"))
    assert labels[0].tolist() == [entry.train_id for entry in rows] + [255]
    assert strays == ()


def test_exact_labels_categories_ids_equal_the_published_categories() -> None:
    space = label_space("categories")
    rows = [entry for entry in CITYSCAPES if entry.id >= 0]
    labels, _ = exact_labels(np.array([[entry.id for entry in rows]], np.uint8), space)
    expected = [255 if entry.category_id == 0 else entry.category_id - 1 for entry in rows]
    assert labels[0].tolist() == expected
    assert [space.classes[label] for label in labels[0] if label != 255] == [
        entry.category for entry in rows if entry.category != "void"
    ]


@pytest.mark.parametrize(("name", "value"), [("categories", 34), ("cityscapes", 254), ("names", 34), ("camvid", 12)])
def test_exact_labels_value_past_the_table_is_a_stray(name: str, value: int) -> None:
    _, strays = exact_labels(np.array([[0, value]], np.uint8), label_space(name))
    assert strays == (Stray(value=value, x=1, y=0, count=1),)
