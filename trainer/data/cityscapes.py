"""The 35 names of the Cityscapes data set as a table: ids, colours, categories. Data only, no logic.

Source: the table published with the data set's scripts (cityscapesScripts, `labels.py`) and its class definitions,
https://www.cityscapes-dataset.com/dataset-overview/#class-definitions.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CityscapesId:
    """One name of the data set.

    Attributes:
        name: as the data set spells it.
        id: value in the data set's own id images; -1 has no id there.
        train_id: 0..18 for the 19 evaluated classes, 255 for what is not evaluated, -1 for license plate.
        category: one of void and the seven categories.
        category_id: 0 for void, 1..7.
        ignored: the data set's evaluation leaves its pixels out.
        colour: RGB 0..255 in the colour masks; some names share one.
    """

    name: str
    id: int
    train_id: int
    category: str
    category_id: int
    ignored: bool
    colour: tuple[int, int, int]


CITYSCAPES: tuple[CityscapesId, ...] = (
    CityscapesId("unlabeled", 0, 255, "void", 0, True, (0, 0, 0)),
    CityscapesId("ego vehicle", 1, 255, "void", 0, True, (0, 0, 0)),
    CityscapesId("rectification border", 2, 255, "void", 0, True, (0, 0, 0)),
    CityscapesId("out of roi", 3, 255, "void", 0, True, (0, 0, 0)),
    CityscapesId("static", 4, 255, "void", 0, True, (0, 0, 0)),
    CityscapesId("dynamic", 5, 255, "void", 0, True, (111, 74, 0)),
    CityscapesId("ground", 6, 255, "void", 0, True, (81, 0, 81)),
    CityscapesId("road", 7, 0, "flat", 1, False, (128, 64, 128)),
    CityscapesId("sidewalk", 8, 1, "flat", 1, False, (244, 35, 232)),
    CityscapesId("parking", 9, 255, "flat", 1, True, (250, 170, 160)),
    CityscapesId("rail track", 10, 255, "flat", 1, True, (230, 150, 140)),
    CityscapesId("building", 11, 2, "construction", 2, False, (70, 70, 70)),
    CityscapesId("wall", 12, 3, "construction", 2, False, (102, 102, 156)),
    CityscapesId("fence", 13, 4, "construction", 2, False, (190, 153, 153)),
    CityscapesId("guard rail", 14, 255, "construction", 2, True, (180, 165, 180)),
    CityscapesId("bridge", 15, 255, "construction", 2, True, (150, 100, 100)),
    CityscapesId("tunnel", 16, 255, "construction", 2, True, (150, 120, 90)),
    CityscapesId("pole", 17, 5, "object", 3, False, (153, 153, 153)),
    CityscapesId("polegroup", 18, 255, "object", 3, True, (153, 153, 153)),
    CityscapesId("traffic light", 19, 6, "object", 3, False, (250, 170, 30)),
    CityscapesId("traffic sign", 20, 7, "object", 3, False, (220, 220, 0)),
    CityscapesId("vegetation", 21, 8, "nature", 4, False, (107, 142, 35)),
    CityscapesId("terrain", 22, 9, "nature", 4, False, (152, 251, 152)),
    CityscapesId("sky", 23, 10, "sky", 5, False, (70, 130, 180)),
    CityscapesId("person", 24, 11, "human", 6, False, (220, 20, 60)),
    CityscapesId("rider", 25, 12, "human", 6, False, (255, 0, 0)),
    CityscapesId("car", 26, 13, "vehicle", 7, False, (0, 0, 142)),
    CityscapesId("truck", 27, 14, "vehicle", 7, False, (0, 0, 70)),
    CityscapesId("bus", 28, 15, "vehicle", 7, False, (0, 60, 100)),
    CityscapesId("caravan", 29, 255, "vehicle", 7, True, (0, 0, 90)),
    CityscapesId("trailer", 30, 255, "vehicle", 7, True, (0, 0, 110)),
    CityscapesId("train", 31, 16, "vehicle", 7, False, (0, 80, 100)),
    CityscapesId("motorcycle", 32, 17, "vehicle", 7, False, (0, 0, 230)),
    CityscapesId("bicycle", 33, 18, "vehicle", 7, False, (119, 11, 32)),
    CityscapesId("license plate", -1, -1, "vehicle", 7, True, (0, 0, 142)),
)
