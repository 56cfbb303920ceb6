"""What stands where in a street: buildings, plants, poles, vehicles, people, and the camera. Paints nothing."""

import numpy as np

from trainer.data.scenes.backdrop import FAR_M
from trainer.data.scenes.barriers import draw_barriers
from trainer.data.scenes.buildings import draw_building
from trainer.data.scenes.camera import Camera
from trainer.data.scenes.districts import District
from trainer.data.scenes.furniture import draw_bollards, draw_gantry, draw_lamp, draw_sign_post, draw_traffic_light
from trainer.data.scenes.ground import KERB_M, LANE_M, Side, Street
from trainer.data.scenes.people import draw_figure
from trainer.data.scenes.plants import draw_bush, draw_tree
from trainer.data.scenes.stage import Thing
from trainer.data.scenes.vehicles import draw_car_kind, draw_vehicle


def draw_camera(rng: np.random.Generator, street: Street, side_px: int) -> Camera:
    """Draws a dash camera in the outer lane on the right; `side_px` is the canvas' side."""
    return Camera(
        side_px=side_px,
        focal_px=side_px * float(rng.uniform(0.75, 1.0)),
        vanishing_px=(side_px * float(rng.uniform(0.38, 0.62)), side_px * float(rng.uniform(0.42, 0.55))),
        height_m=float(rng.uniform(1.25, 1.75)),
        lateral_m=(street.lanes - 0.5) * LANE_M + float(rng.normal(0, 0.25)),
        bend_per_m=float(rng.uniform(-0.0022, 0.0022)) if rng.random() < 0.5 else 0.0,
    )


def draw_things(rng: np.random.Generator, district: District, street: Street) -> list[Thing]:
    """Draws everything that stands in the street, in the order of painting: far to near."""
    things: list[Thing] = []
    for side in street.sides:
        things += _draw_plots(rng, district, street, side)
        things += _draw_kerbside(rng, district, street, side)
    things += _draw_junction(rng, street)
    things += _draw_traffic(rng, street)
    things += _draw_walkers(rng, district, street)
    return sorted(things, key=lambda thing: -thing.depth_m)


def _in_junction(street: Street, near: float, far: float) -> bool:
    start, end = street.junction_m
    return near < end and far > start


def _draw_plots(rng: np.random.Generator, district: District, street: Street, side: Side) -> list[Thing]:
    """Lines a side with buildings, or with trees and a barrier where a plot has none."""
    things: list[Thing] = []
    facade = street.facade_m(side)
    barrier = district.barriers[rng.integers(len(district.barriers))]
    kind = district.buildings[rng.integers(len(district.buildings))]
    near = float(rng.uniform(-4, 2))
    while near < FAR_M:
        far = near + float(rng.uniform(9, 22) if kind != "house" else rng.uniform(8, 13))
        if _in_junction(street, near, far):
            start, end = street.junction_m
            if near < start - 5:
                far = start
            else:
                near = end
                continue
        span = (max(near, 1.0), far)
        built = rng.random() >= district.gap and far > 3
        if built:
            floors = int(rng.integers(district.floors[0], district.floors[1] + 1))
            end = far - (float(rng.uniform(1.5, 4.0)) if kind == "house" else 0.0)
            setback = facade + float(rng.uniform(0, 0.6 + 0.25 * side.garden_m))
            things.append(
                draw_building(
                    rng,
                    kind=kind,
                    sign=side.sign,
                    facade_m=setback,
                    span=(span[0], max(end, span[0] + 3)),
                    floors=floors,
                )
            )
            if rng.random() < 0.5:
                kind = district.buildings[rng.integers(len(district.buildings))]
        things += _draw_garden(rng, street, side, span, barrier, built=built)
        near = far
    return things


def _draw_garden(
    rng: np.random.Generator, street: Street, side: Side, span: tuple[float, float], barrier: str, *, built: bool
) -> list[Thing]:
    """Draws what grows between pavement and buildings, or on a plot without one."""
    things: list[Thing] = []
    edge = street.facade_m(side) - side.garden_m
    if span[1] > 6.0 and (not built or side.garden_m > 2.5):
        if not built or rng.random() < 0.75:
            things += draw_barriers(rng, barrier, side.sign * (edge + 0.25), (max(span[0], 2.0), span[1] - 0.3))
        room = (edge + 2.2, edge + (8.0 if not built else side.garden_m))
        count = rng.integers(2, 5) if not built else rng.integers(0, 3)
        for _ in range(count if span[0] < 80 and room[1] > room[0] else 0):
            foot = (side.sign * float(rng.uniform(*room)), float(rng.uniform(max(4.0, span[0]), span[1])))
            things.append(draw_tree(rng, foot, KERB_M) if rng.random() < 0.6 else draw_bush(rng, foot, KERB_M))
    return things


def _draw_kerbside(rng: np.random.Generator, district: District, street: Street, side: Side) -> list[Thing]:
    """Draws what stands along the kerb: trees, lamps, signs, bollards."""
    things: list[Thing] = []
    line = street.half_m + (side.verge_m / 2 if side.verge_m else 0.5)
    trees = rng.random() < district.trees + 0.15
    step, spacing = float(rng.uniform(5, 12)), float(rng.uniform(7, 11))
    things += [
        draw_tree(rng, (side.sign * (line + 0.3), ahead), KERB_M)
        for ahead in np.arange(step, 90, spacing).tolist()
        if trees and rng.random() < district.trees and not _in_junction(street, ahead - 3, ahead + 3)
    ]
    things += [
        draw_lamp(rng, (side.sign * line, ahead))
        for ahead in np.arange(rng.uniform(5, 10), 90, rng.uniform(12, 20)).tolist()
        if not _in_junction(street, ahead, ahead)
    ]
    for _ in range(rng.integers(2, 5)):
        ahead = float(rng.uniform(5.0, 24))
        if not _in_junction(street, ahead, ahead):
            things.append(draw_sign_post(rng, (side.sign * (line + float(rng.uniform(-0.1, 0.4))), ahead)))
    if rng.random() < 0.35:
        things += draw_bollards(rng, side.sign * (street.half_m + 0.35), float(rng.uniform(5, 12)))
    return things


def _draw_junction(rng: np.random.Generator, street: Street) -> list[Thing]:
    """Draws traffic lights and people on the crossing, or sometimes a gantry where there is no junction."""
    if street.crossing_m is None:
        if rng.random() < 0.2:
            return [draw_gantry(rng, street.half_m + 0.6, float(rng.uniform(16, 40)))]
        return []
    lens = int(rng.choice(3, p=(0.5, 0.1, 0.4)))
    reach = street.half_m + 0.5
    near, far = street.crossing_m - 1.0, street.junction_m[1] + 0.5
    things: list[Thing] = [
        draw_traffic_light(rng, (reach, near), lens, overhead=bool(rng.random() < 0.4)),
        draw_traffic_light(rng, (-reach, near), lens, overhead=False),
        draw_traffic_light(rng, (reach, far), lens, overhead=bool(rng.random() < 0.5)),
    ]
    for _ in range(rng.integers(1, 5) if lens == 0 else rng.integers(0, 2)):
        foot = (float(rng.uniform(-street.half_m, street.half_m)), street.crossing_m + float(rng.uniform(0.4, 2.8)))
        things.append(draw_figure(rng, foot, 0.0))
    if rng.random() < 0.5:
        foot = (float(rng.uniform(-street.half_m, street.half_m)), street.junction_m[0] + float(rng.uniform(0, 3)))
        things.append(draw_figure(rng, foot, 0.0, riding="across"))
    return things


def _draw_traffic(rng: np.random.Generator, street: Street) -> list[Thing]:
    """Draws parked and driving vehicles, and riders."""
    things: list[Thing] = []
    if street.parking_m > 0:
        for sign, heading in ((-1, np.pi), (1, 0.0)):
            fill, ahead = rng.uniform(0.35, 0.9), float(rng.uniform(4.5, 8))
            while ahead < 90:
                if rng.random() < fill and not _in_junction(street, ahead - 10, ahead + 3):
                    middle = (sign * (street.lanes_half_m + 1.15 + float(rng.normal(0, 0.08))), ahead)
                    things.append(draw_vehicle(rng, draw_car_kind(rng), middle, heading + float(rng.normal(0, 0.03))))
                ahead += float(rng.uniform(5.4, 6.6))
    stopped = street.crossing_m is not None
    for lane in range(street.lanes):
        for sign, heading in ((1, 0.0), (-1, np.pi)):
            lane_m = sign * (lane + 0.5) * LANE_M
            own = sign > 0 and lane == street.lanes - 1
            ahead = float(rng.uniform(9.5, 26) if own else rng.uniform(7.5, 26))
            while ahead < 100:
                kind = str(rng.choice(("bus", "truck"))) if rng.random() < 0.14 else draw_car_kind(rng)
                ahead += 5.0 if kind in ("bus", "truck") else 0.0
                if not (stopped and _in_junction(street, ahead - 11, ahead + 6)):
                    things.append(draw_vehicle(rng, kind, (lane_m + float(rng.normal(0, 0.15)), ahead), heading))
                ahead += float(rng.uniform(9, 34))
    if rng.random() < 0.6:
        foot = (street.lanes_half_m - 0.55, float(rng.uniform(5.5, 12)))
        things.append(draw_figure(rng, foot, 0.0, riding="away"))
    return things


def _draw_walkers(rng: np.random.Generator, district: District, street: Street) -> list[Thing]:
    """Draws people on the pavements, alone or in twos and threes, more of them near than far, and on the road."""
    things: list[Thing] = []
    count = int(rng.integers(district.walkers[0], district.walkers[1] + 1))
    while count > 0:
        side = street.sides[int(rng.random() < 0.6)]  # the right one is nearer, so its people are larger
        inner = street.half_m + side.verge_m
        ahead = (4.5 if side.sign > 0 else 8.0) + 16.0 * float(rng.random()) ** 1.6
        party = min(count, int(rng.choice(3, p=(0.55, 0.32, 0.13))) + 1)
        if not _in_junction(street, ahead, ahead):
            middle = inner + float(rng.uniform(0.4, max(0.5, side.pavement_m - 0.5)))
            for place in range(party):
                foot = (side.sign * (middle + 0.6 * (place - party / 2)), ahead + float(rng.uniform(-0.4, 0.4)))
                things.append(draw_figure(rng, foot, KERB_M))
        count -= party
    if rng.random() < 0.6:  # some cross the road without a crossing
        ahead = float(rng.uniform(6.5, 13))
        for _ in range(rng.integers(1, 4)):
            foot = (float(rng.uniform(-street.half_m, street.half_m)), ahead + float(rng.uniform(-0.8, 0.8)))
            things.append(draw_figure(rng, foot, 0.0))
    return things
