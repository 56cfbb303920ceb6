"""Label spaces: which colours or ids of a mask are which class. One's own are made in `classes_file`."""

from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import UsageError
from runtime.spec import IGNORE_ID
from trainer.data import camvid
from trainer.data.cityscapes import CITYSCAPES, CityscapesId

Colour = tuple[int, int, int]

NAMES = ("categories", "cityscapes", "names", "camvid")

_NO_ID = 255  # the -1 of license plate, as eight bits hold it

# the member whose colour stands for its category, chosen so that the seven are told apart on a panel
_CATEGORY_LEADERS = {
    "flat": "road",
    "construction": "building",
    "object": "traffic sign",
    "nature": "vegetation",
    "sky": "sky",
    "human": "person",
    "vehicle": "car",
}


@dataclass(frozen=True)
class LabelSpace:
    """The classes that labels mean, and the mask colours and ids they come from.

    Attributes:
        name: `categories`, `cityscapes`, `names`, `camvid`, or a name of one's own.
        classes: one name a class; the index is the label.
        palette: one RGB (0..255) a class, to draw it with.
        members: the data set's own names that make up each class.
        colours: every distinct RGB of the masks; empty where masks hold ids only.
        class_of_colour: the label of each of `colours`, or 255 where it is ignored.
        ids: every value of the masks, 0..65535; empty where masks hold colours only.
        class_of_id: the label of each of `ids`, or 255 where it is ignored.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    members: tuple[tuple[str, ...], ...]
    colours: tuple[Colour, ...]
    class_of_colour: tuple[int, ...]
    ids: tuple[int, ...] = ()
    class_of_id: tuple[int, ...] = ()


def label_space(name: str) -> LabelSpace:
    """Builds the label space of that name.

    Args:
        name: `categories` (7 classes, void ignored), `cityscapes` (the 19 evaluated classes), `names` (28: every
            name that a colour tells apart, black ignored) or `camvid` (11).

    Raises:
        UsageError: no label space has that name.
    """
    builders = dict(zip(NAMES, (_categories, _cityscapes, _names, _camvid), strict=True))
    if name not in builders:
        raise UsageError(f"expected a label space among {', '.join(builders)}, got {name!r}; choose one of them")
    return builders[name]()


def _categories() -> LabelSpace:
    names = tuple(_CATEGORY_LEADERS)
    leaders = {entry.name: entry.colour for entry in CITYSCAPES}
    return _build(
        "categories",
        names,
        tuple(leaders[_CATEGORY_LEADERS[name]] for name in names),
        lambda entry: None if entry.category == "void" else entry.category,
    )


def _cityscapes() -> LabelSpace:
    evaluated = sorted((entry for entry in CITYSCAPES if not entry.ignored), key=lambda entry: entry.train_id)
    class_by_colour = {entry.colour: entry.name for entry in evaluated}
    return _build(
        "cityscapes",
        tuple(entry.name for entry in evaluated),
        tuple(entry.colour for entry in evaluated),
        lambda entry: class_by_colour.get(entry.colour),  # a colour can't tell pole from polegroup
        lambda entry: None if entry.ignored else entry.name,  # an id can
    )


def _names() -> LabelSpace:
    first_by_colour: dict[Colour, CityscapesId] = {}
    for entry in CITYSCAPES:
        first_by_colour.setdefault(entry.colour, entry)
    unlabelled = CITYSCAPES[0].colour
    kept = [entry for entry in first_by_colour.values() if entry.colour != unlabelled]
    return _build(
        "names",
        tuple(entry.name for entry in kept),
        tuple(entry.colour for entry in kept),
        lambda entry: None if entry.colour == unlabelled else first_by_colour[entry.colour].name,
    )


def _camvid() -> LabelSpace:
    names = tuple(name for name, _ in camvid.CLASSES)
    labels = tuple(range(len(names)))
    return LabelSpace(
        name="camvid",
        classes=names,
        palette=tuple(colour for _, colour in camvid.CLASSES),
        members=tuple((name,) for name in names),
        colours=(),
        class_of_colour=(),
        ids=(*labels, camvid.UNLABELLED_ID),
        class_of_id=(*labels, IGNORE_ID),
    )


_ClassOf = Callable[[CityscapesId], str | None]


def _build(
    name: str, classes: tuple[str, ...], palette: tuple[Colour, ...], by_colour: _ClassOf, by_id: _ClassOf | None = None
) -> LabelSpace:
    """Fills in members, colours and ids from what class each row of the table belongs to (None: ignored).

    Ids go the way of their rows' colours where `by_id` says nothing else.
    """
    members: dict[str, list[str]] = {each: [] for each in classes}
    class_of_colour: dict[Colour, int] = {}
    class_of_id = {_NO_ID: IGNORE_ID}
    for entry in CITYSCAPES:
        class_name = by_colour(entry)
        class_of_colour[entry.colour] = IGNORE_ID if class_name is None else classes.index(class_name)
        if class_name is not None:
            members[class_name].append(entry.name)
        name_by_id = (by_id or by_colour)(entry)
        if entry.id >= 0:
            class_of_id[entry.id] = IGNORE_ID if name_by_id is None else classes.index(name_by_id)
    return LabelSpace(
        name=name,
        classes=classes,
        palette=palette,
        members=tuple(tuple(members[each]) for each in classes),
        colours=tuple(class_of_colour),
        class_of_colour=tuple(class_of_colour.values()),
        ids=tuple(class_of_id),
        class_of_id=tuple(class_of_id.values()),
    )
