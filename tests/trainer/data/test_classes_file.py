import pytest

from runtime.errors import DataError
from trainer.data.camvid import CLASSES
from trainer.data.classes_file import made_up_colour, read_classes

BY_ID = """
name = "yard"
ignore_ids = [0, 255]
[[classes]]
name = "road"
ids = [7, 300]
palette = [128, 64, 128]
[[classes]]
name = "fence"
ids = [9]
"""
ROAD = '[[classes]]\nname = "road"\n'


def test_read_classes_by_id_fills_the_table() -> None:
    space = read_classes(BY_ID.encode(), "classes.toml")
    assert (space.name, space.classes, space.members) == ("yard", ("road", "fence"), (("road",), ("fence",)))
    assert dict(zip(space.ids, space.class_of_id, strict=True)) == {7: 0, 300: 0, 9: 1, 0: 255, 255: 255}
    assert space.palette == ((128, 64, 128), (0, 128, 0))
    assert (space.colours, space.class_of_colour) == ((), ())


def test_read_classes_by_colour_draws_with_the_first_colour() -> None:
    text = ROAD + "colours = [[1, 2, 3], [4, 5, 6]]"
    space = read_classes(f"ignore_colours = [[0, 0, 0]]\n{text}".encode(), "classes.toml")
    assert space.name == "own"
    assert (space.colours, space.class_of_colour) == (((1, 2, 3), (4, 5, 6), (0, 0, 0)), (0, 0, 255))
    assert space.palette == ((1, 2, 3),)
    assert space.ids == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ROAD + "ids = [1]\ncolors = [[0, 0, 0]]",
            r"set/classes\.toml: class 0: .* got 'colors'; did you mean colours\?",
        ),
        ("ignore_id = [0]\n" + ROAD + "ids = [1]", r"got 'ignore_id'; did you mean ignore_ids\?"),
        (ROAD + "id = 1", r"got 'id'; did you mean ids\?"),
        (ROAD + "ids = [1]\nzzz = 1", r"expected the keys name, ids, colours, palette, got 'zzz'; remove it"),
        ("", r"expected 1 to 255 tables \[\[classes\]\], got nothing"),
        ("classes = [1]", r"tables \[\[classes\]\], got \[1\]"),
        ("classes = 3", r"tables \[\[classes\]\], got 3"),
        (ROAD, "ids for all classes, or colours for all, got neither"),
        (ROAD + "ids = [1]\ncolours = [[0, 0, 0]]", "got both"),
        ("ignore_colours = [[0, 0, 0]]\n" + ROAD + "ids = [1]", "got both"),
        (
            ROAD + 'ids = [1]\n[[classes]]\nname = "car"',
            "class 1: ids: expected a list of one or more ids, got nothing",
        ),
        (ROAD + "ids = 1", "class 0: ids: expected a list of one or more ids, got 1"),
        (ROAD + "ids = [65536]", "whole numbers from 0 to 65535, got 65536"),
        (ROAD + "ids = [-1]", "whole numbers from 0 to 65535, got -1"),
        (ROAD + "ids = [true]", "whole numbers from 0 to 65535, got True"),
        (ROAD + "ids = [1, 2, 1]", "each value once in the file, got 1"),
        ("ignore_ids = [1]\n" + ROAD + "ids = [1]", "ignore_ids: expected each value once in the file, got 1"),
        (ROAD + "colours = [[0, 0, 256]]", r"each 0 to 255, got \[0, 0, 256\]"),
        (ROAD + "colours = [[0, 0]]", r"each 0 to 255, got \[0, 0\]"),
        (ROAD + "colours = ['red']", "each 0 to 255, got 'red'"),
        (ROAD + "ids = [1]\npalette = [1, 2]", r"palette: expected colours .* got \[1, 2\]"),
        ("[[classes]]\nids = [1]", "class 0: name: expected text, got nothing"),
        ('name = " "\n' + ROAD + "ids = [1]", "name: expected text, got ' '"),
        ((ROAD + "ids = [1]\n") + (ROAD + "ids = [2]"), "each class name once, got 'road'"),
        ('name = "camvid"\n' + ROAD + "ids = [1]", "a name of your own, .* got 'camvid'"),
        ("name = ", "expected TOML in UTF-8"),
    ],
)
def test_read_classes_every_slip_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_classes(text.encode(), "set/classes.toml")


def test_read_classes_byte_order_mark_changes_nothing() -> None:
    assert read_classes(BY_ID.encode("utf-8-sig"), "c") == read_classes(BY_ID.encode(), "c")


def test_read_classes_other_encoding_is_refused() -> None:
    with pytest.raises(DataError, match="expected TOML in UTF-8"):
        read_classes(b'name = "\xff"', "classes.toml")


def test_read_classes_more_than_255_are_refused() -> None:
    text = "".join(f'[[classes]]\nname = "c{number}"\nids = [{number}]\n' for number in range(256))
    with pytest.raises(DataError, match=r"expected 1 to 255 tables \[\[classes\]\], got 256; give"):
        read_classes(text.encode(), "classes.toml")
    with pytest.raises(DataError, match="got 0; give"):
        read_classes(b"classes = []", "classes.toml")


@pytest.mark.parametrize(
    ("value", "message"),
    [("0x" + "f" * 6000, "a number of thousands of digits"), ("'" + "f" * 60_000 + "'", r"'fff.*\(60002 characters\)")],
)
def test_read_classes_huge_value_is_a_short_error(value: str, message: str) -> None:
    with pytest.raises(DataError, match=f"whole numbers from 0 to 65535, got {message}; correct it") as caught:
        read_classes(f"{ROAD}ids = [{value}]".encode(), "set/classes.toml")
    assert len(str(caught.value)) < 400


def test_read_classes_just_the_classes_of_a_known_space_may_have_its_name() -> None:
    entries = "".join(f'[[classes]]\nname = "{name}"\nids = [{at + 20}]\n' for at, (name, _) in enumerate(CLASSES))
    space = read_classes(f'name = "camvid"\n{entries}'.encode(), "classes.toml")
    assert space.classes == tuple(name for name, _ in CLASSES)


def test_made_up_colour_equals_the_pascal_colour_map_and_never_repeats() -> None:
    # aeroplane, bicycle, bird, boat of the PASCAL VOC colour map
    assert [made_up_colour(label) for label in range(4)] == [(128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    assert len({made_up_colour(label) for label in range(255)}) == 255
