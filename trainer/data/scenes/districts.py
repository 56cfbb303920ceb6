"""Parts of town, and the streets in them: lanes, parking, verges, pavements, gardens, junctions."""

from dataclasses import dataclass

import numpy as np

from trainer.data.scenes.ground import LANE_M, Side, Street


@dataclass(frozen=True, kw_only=True)
class District:
    """What a part of town is like; shares 0..1, lengths in metres.

    Attributes:
        share: how often it is drawn.
        lanes: driving lanes in each direction, to choose from.
        parking: share of streets with parking lanes.
        verge: share of sides with grass between kerb and pavement.
        garden_m: least and greatest distance between pavement and buildings.
        buildings: keys of `BUILDING_STYLES`.
        floors: least and greatest number of floors.
        gap: share of plots without a building.
        trees: share of places for a street tree that have one.
        barriers: kinds that may stand along the pavement.
        walkers: least and greatest number of people on the pavements.
    """

    share: float
    lanes: tuple[int, ...]
    parking: float
    verge: float
    garden_m: tuple[float, float]
    buildings: tuple[str, ...]
    floors: tuple[int, int]
    gap: float
    trees: float
    barriers: tuple[str, ...]
    walkers: tuple[int, int]


DISTRICTS: dict[str, District] = {
    "old town": District(
        share=0.34,
        lanes=(1,),
        parking=0.45,
        verge=0.1,
        garden_m=(0.0, 0.5),
        buildings=("plaster", "plaster", "brick"),
        floors=(2, 5),
        gap=0.12,
        trees=0.4,
        barriers=("wall", "rails"),
        walkers=(8, 16),
    ),
    "centre": District(
        share=0.24,
        lanes=(1, 2),
        parking=0.3,
        verge=0.2,
        garden_m=(0.0, 2.0),
        buildings=("modern", "modern", "plaster", "brick"),
        floors=(3, 8),
        gap=0.15,
        trees=0.5,
        barriers=("rails", "wall", "hedge"),
        walkers=(8, 17),
    ),
    "suburb": District(
        share=0.28,
        lanes=(1,),
        parking=0.35,
        verge=0.5,
        garden_m=(3.0, 7.0),
        buildings=("house",),
        floors=(1, 3),
        gap=0.25,
        trees=0.55,
        barriers=("hedge", "boards", "rails", "wall"),
        walkers=(6, 12),
    ),
    "avenue": District(
        share=0.14,
        lanes=(1, 2),
        parking=0.3,
        verge=0.9,
        garden_m=(4.0, 10.0),
        buildings=("plaster", "modern", "house"),
        floors=(2, 5),
        gap=0.5,
        trees=0.85,
        barriers=("hedge", "rails", "wall"),
        walkers=(6, 13),
    ),
}


def draw_district(rng: np.random.Generator) -> District:
    """Draws a part of town."""
    districts = tuple(DISTRICTS.values())
    return districts[rng.choice(len(districts), p=[district.share for district in districts])]


def draw_street(rng: np.random.Generator, district: District) -> Street:
    """Draws a street's cross-section, surface and markings."""
    lanes = district.lanes[rng.integers(len(district.lanes))]
    parking = 2.3 if rng.random() < district.parking else 0.0
    grey = rng.uniform(84, 122)
    tone = rng.normal(0, 2.5, 3)
    half = lanes * LANE_M
    patches = tuple(
        (
            float(rng.uniform(-half, half - 1.6)),
            float(rng.uniform(2.5, 30)),
            float(rng.uniform(0.5, 2.0)),
            float(rng.uniform(0.6, 7.0)),
            float(rng.uniform(0.8, 1.12)),
        )
        for _ in range(rng.integers(0, 6))
    )
    return Street(
        lanes=lanes,
        parking_m=parking,
        parking_name="parking" if rng.random() < 0.2 else "road",
        sides=(_draw_side(rng, district, -1), _draw_side(rng, district, 1)),
        asphalt=(int(grey + tone[0]), int(grey + tone[1]), int(grey + 2 + tone[2])),
        crossing_m=float(rng.uniform(9, 30)) if rng.random() < 0.45 else None,
        edge_lines=bool(rng.random() < 0.5),
        patches=patches,
    )


def _draw_side(rng: np.random.Generator, district: District, sign: int) -> Side:
    grey = rng.uniform(128, 172)
    warm = rng.uniform(-4, 16)
    garden = float(rng.uniform(*district.garden_m))
    return Side(
        sign=sign,
        verge_m=float(rng.uniform(1.2, 2.6)) if rng.random() < district.verge else 0.0,
        pavement_m=float(rng.uniform(1.8, 4.2)),
        garden_m=garden,
        garden="terrain" if garden > 2.5 else "sidewalk",
        pavement_colour=(int(grey + warm), int(grey + warm / 3), int(grey - warm / 2)),
        grass_colour=(int(rng.uniform(92, 128)), int(rng.uniform(112, 140)), int(rng.uniform(48, 70))),
    )
