"""How the facades of each kind of building look: colours, windows, floors, roofs. Data only."""

from dataclasses import dataclass

from trainer.data.scenes.canvas import Colour


@dataclass(frozen=True, kw_only=True)
class BuildingStyle:
    """How the buildings of one kind look; lengths in metres.

    Attributes:
        walls: colours to choose from.
        roofs: colours to choose from.
        window: width and height of one window.
        spacing: from window to window along the street, and from floor to floor.
        frame_m: width of the light frame around a window, 0 for none.
        roof_m: least and greatest height of the roof over the top floor; 0 is flat.
        shop_share: share of the buildings with a shop at ground level.
    """

    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    window: tuple[float, float]
    spacing: tuple[float, float]
    frame_m: float
    roof_m: tuple[float, float]
    shop_share: float


_TILES: tuple[Colour, ...] = ((142, 74, 56), (118, 62, 50), (86, 78, 76), (98, 88, 84))

BUILDING_STYLES: dict[str, BuildingStyle] = {
    "plaster": BuildingStyle(
        walls=((206, 190, 158), (190, 172, 148), (214, 206, 190), (196, 160, 128), (178, 178, 172), (204, 182, 176)),
        roofs=_TILES,
        window=(1.1, 1.7),
        spacing=(2.3, 3.2),
        frame_m=0.12,
        roof_m=(1.5, 4.0),
        shop_share=0.5,
    ),
    "brick": BuildingStyle(
        walls=((140, 84, 66), (124, 72, 60), (152, 104, 80), (112, 82, 70)),
        roofs=_TILES,
        window=(1.2, 1.6),
        spacing=(2.5, 3.1),
        frame_m=0.14,
        roof_m=(0.0, 3.0),
        shop_share=0.4,
    ),
    "modern": BuildingStyle(
        walls=((150, 152, 154), (172, 168, 160), (118, 122, 128), (186, 188, 188)),
        roofs=((110, 110, 112),),
        window=(2.5, 1.7),
        spacing=(2.9, 3.3),
        frame_m=0.0,
        roof_m=(0.0, 0.0),
        shop_share=0.6,
    ),
    "house": BuildingStyle(
        walls=((222, 214, 198), (200, 184, 160), (178, 122, 98), (188, 194, 186), (214, 198, 164)),
        roofs=_TILES,
        window=(1.2, 1.3),
        spacing=(2.8, 2.9),
        frame_m=0.12,
        roof_m=(2.5, 4.0),
        shop_share=0.0,
    ),
}
