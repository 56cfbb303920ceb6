"""Light, class shares and confidence: against pictures and maps whose shares are known by hand, and real frames."""

import statistics
import time
import tracemalloc

import numpy as np
import pytest

from runtime.camera import CameraSpec
from runtime.spec import ModelSpec
from runtime.stream.plausibility import Plausibility, class_shares, unsure_share
from runtime.stream.result import Flag

SIDE = 100  # below 256 the grid has every point
ROAD = np.zeros((SIDE, SIDE), np.uint8)
SHARES = {"tree": [0.0, 0.0], "car": [0.0, 0.5], "sky": [0.25, 0.5], "road": [0.25, 0.75]}  # not in the classes' order


def grey(level: int, shape: tuple[int, ...] = (SIDE, SIDE, 3)) -> np.ndarray:
    return np.full(shape, level, np.uint8)


def labels_of(road: float, sky: float, car: float, tree: float = 0.0) -> np.ndarray:
    """A map with these shares, uint8 [100, 100], its rest 255."""
    counts = [round(share * SIDE * SIDE) for share in (road, sky, car, tree)]
    counts.append(SIDE * SIDE - sum(counts))
    return np.repeat(np.array([0, 1, 2, 3, 255], np.uint8), counts).reshape(SIDE, SIDE)


@pytest.fixture(scope="session")
def plain(make_spec) -> ModelSpec:
    return make_spec(height_px=SIDE, width_px=SIDE)


@pytest.fixture(scope="session")
def knowing(make_spec) -> ModelSpec:
    """Expects SHARES, and up to a tenth of the points unsure."""
    expected = {"frames": 200, "shares": SHARES, "unsure": 0.1}
    return make_spec(height_px=SIDE, width_px=SIDE, confidence={"temperature": 1.5}, expected=expected)


def camera_spec(make_spec, layout: str, yuv_range: str | None) -> ModelSpec:
    matrix = None if yuv_range is None else "bt709"
    camera = CameraSpec(height_px=SIDE, width_px=SIDE, layout=layout, yuv_matrix=matrix, yuv_range=yuv_range)
    return make_spec(height_px=SIDE, width_px=SIDE, camera=camera)


def luma_frame(spec: ModelSpec, luma: np.ndarray) -> np.ndarray:
    """A grey picture of this luma, uint8 [100, 100], as the spec's camera delivers it."""
    if spec.layout == "nv12":
        return np.concatenate([luma, grey(128, (SIDE // 2, SIDE))])
    if spec.layout == "uyvy":
        return np.stack([grey(128, luma.shape), luma], axis=2)
    return np.repeat(luma[..., np.newaxis], 3, axis=2)


LIGHT = [  # black, the darkest level that counts as lit, the brightest that counts as not blown out, white
    ("rgb", None, 0, 33, 223, 255),
    ("bgr", None, 0, 33, 223, 255),
    ("nv12", "full", 0, 33, 223, 255),
    ("uyvy", "full", 0, 33, 223, 255),
    ("nv12", "limited", 16, 44, 207, 235),  # 16 + 219 / 255 of the levels: 32 is at 43.5, 224 at 208.4
    ("uyvy", "limited", 16, 44, 207, 235),
]


@pytest.mark.parametrize(("layout", "yuv_range", "black", "lit", "shaded", "white"), LIGHT)
def test_flags_covered_lens_and_blown_out_picture_are_caught(
    make_spec, layout: str, yuv_range: str | None, black: int, lit: int, shaded: int, white: int
) -> None:
    spec = camera_spec(make_spec, layout, yuv_range)
    hook, noise = Plausibility(spec), np.random.default_rng(0).integers(0, 10, ROAD.shape, dtype=np.uint8)
    for level, flags in (
        (grey(black, ROAD.shape) + noise, (Flag.DARK,)),
        (grey(lit - 1, ROAD.shape), (Flag.DARK,)),
        (grey(lit, ROAD.shape), ()),
        (grey(shaded, ROAD.shape), ()),
        (grey(shaded + 1, ROAD.shape), (Flag.BRIGHT,)),
        (grey(white, ROAD.shape) - noise, (Flag.BRIGHT,)),
    ):
        assert hook.flags(luma_frame(spec, level), ROAD, None) == flags


def test_flags_dark_frame_with_a_fiftieth_of_it_lit_is_none(plain: ModelSpec) -> None:
    frame = grey(0)
    frame.reshape(-1, 3)[: 2 * SIDE - 1] = 200
    assert Plausibility(plain).flags(frame, ROAD, None) == (Flag.DARK,)
    frame.reshape(-1, 3)[2 * SIDE - 1] = 200
    assert Plausibility(plain).flags(frame, ROAD, None) == ()


def test_flags_bright_frame_with_a_fiftieth_of_it_in_shade_is_none(plain: ModelSpec) -> None:
    frame = grey(255)
    frame.reshape(-1, 3)[: 2 * SIDE - 1] = 100
    assert Plausibility(plain).flags(frame, ROAD, None) == (Flag.BRIGHT,)
    frame.reshape(-1, 3)[2 * SIDE - 1] = 100
    assert Plausibility(plain).flags(frame, ROAD, None) == ()


@pytest.mark.parametrize(
    ("shares", "odd"),
    [
        ((0.5, 0.25, 0.25), False),
        ((0.25, 0.5, 0.25), False),
        ((0.16, 0.5, 0.34), False),  # 9 % of the frame less road than ever: within the margin of 10
        ((0.14, 0.5, 0.36), True),
        ((0.84, 0.16, 0.0), False),
        ((0.84, 0.14, 0.02), True),  # too little sky
        ((0.86, 0.14, 0.0), True),
        ((0.25, 0.61, 0.14), True),
        ((0.2, 0.21, 0.59), False),
        ((0.2, 0.19, 0.61), True),
        ((0.5, 0.3, 0.11, 0.09), False),  # a class that was never there, 9 % of the frame
        ((0.5, 0.3, 0.09, 0.11), True),
        ((1.0, 0.0, 0.0), True),
        ((0.0, 0.0, 0.0), True),  # 255 everywhere
    ],
)
def test_flags_shares_far_from_those_of_validation_are_unusual(
    knowing: ModelSpec, shares: tuple[float, ...], odd: bool
) -> None:
    found = Plausibility(knowing).flags(grey(128), labels_of(*shares), grey(255, ROAD.shape))
    assert found == ((Flag.UNUSUAL_SHARES,) if odd else ())


@pytest.mark.parametrize(("unsure", "odd"), [(0.0, False), (0.1, False), (0.149, False), (0.151, True), (1.0, True)])
def test_flags_more_low_confidence_than_in_validation_is_unsure(knowing: ModelSpec, unsure: float, odd: bool) -> None:
    confidence = grey(128, ROAD.shape)
    confidence.reshape(-1)[: round(unsure * confidence.size)] = 127
    found = Plausibility(knowing).flags(grey(128), labels_of(0.5, 0.25, 0.25), confidence)
    assert found == ((Flag.UNSURE,) if odd else ())


def test_flags_all_that_is_so_come_in_the_order_of_flag(knowing: ModelSpec) -> None:
    found = Plausibility(knowing).flags(grey(0), ROAD, grey(0, ROAD.shape))
    assert found == (Flag.DARK, Flag.UNUSUAL_SHARES, Flag.UNSURE)


@pytest.mark.parametrize("label", [0, 3, 255])
def test_flags_without_expected_no_answer_is_odd(make_spec, label: int) -> None:
    hook = Plausibility(make_spec(height_px=SIDE, width_px=SIDE, confidence={"temperature": 1}))
    assert hook.flags(grey(128), grey(label, ROAD.shape), grey(0, ROAD.shape)) == ()


def test_flags_without_confidence_is_never_unsure(make_spec) -> None:
    expected = {"frames": 1, "shares": SHARES, "unsure": None}
    hook = Plausibility(make_spec(height_px=SIDE, width_px=SIDE, expected=expected))
    assert hook.flags(grey(128), labels_of(0.5, 0.25, 0.25), None) == ()


def test_flags_change_neither_frame_nor_answer(knowing: ModelSpec) -> None:
    given = grey(3), labels_of(0.1, 0.1, 0.8), grey(9, ROAD.shape)
    for array in given:
        array.flags.writeable = False
    before = [array.tobytes() for array in given]
    assert Plausibility(knowing).flags(*given) == (Flag.DARK, Flag.UNUSUAL_SHARES, Flag.UNSURE)
    assert [array.tobytes() for array in given] == before


def blobs(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A label map of 7 classes in 40 ellipses, uint8 [height, width]."""
    generator = np.random.default_rng(seed)
    y, x = np.ogrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    labels = np.zeros((height, width), np.uint8)
    for label in generator.integers(0, 7, 40):
        top, left, tall, wide = generator.uniform(0.02, 1, 4)
        labels[((y - top) / (tall / 4)) ** 2 + ((x - left) / (wide / 4)) ** 2 < 1] = label
    return labels


@pytest.mark.parametrize(("height", "width"), [(256, 256), (1208, 1920), (255, 700)])
def test_class_shares_are_those_of_all_pixels_within_one_hundredth(height: int, width: int) -> None:
    for seed in range(3):
        labels = blobs(height, width, seed)
        every = [(labels == label).mean() for label in range(7)]
        np.testing.assert_allclose(class_shares(labels, 7), every, atol=0.01)
        below = (labels * 40 < 128).mean()
        assert unsure_share(labels * np.uint8(40)) == pytest.approx(below, abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (255, 255), (127, 3)])
def test_class_shares_of_a_small_map_are_exact(shape: tuple[int, int]) -> None:
    labels = np.random.default_rng(1).integers(0, 4, shape, dtype=np.uint8)
    if max(shape) == 300:
        labels = np.sort(labels)  # a grid of every second point
    every = [(labels == label).mean() for label in range(4)]
    np.testing.assert_allclose(class_shares(labels, 4), every, atol=0.005 if max(shape) == 300 else 0)


def test_class_shares_leave_out_what_is_no_class() -> None:
    assert class_shares(np.array([[0, 1, 255, 7]], np.uint8), 2).tolist() == [0.25, 0.25]


@pytest.fixture(scope="module")
def large(make_spec) -> tuple[Plausibility, np.ndarray, np.ndarray]:
    """The hook, a frame and an answer of a 1920x1208 camera."""
    camera = CameraSpec(height_px=1208, width_px=1920, layout="nv12", yuv_matrix="bt709", yuv_range="limited")
    expected = {"frames": 1, "shares": SHARES, "unsure": 0.5}
    changes = {"height_px": 1208, "width_px": 1920, "confidence": {"temperature": 1}, "expected": expected}
    frame = np.random.default_rng(0).integers(0, 256, (1812, 1920), dtype=np.uint8)
    return Plausibility(make_spec(camera=camera, **changes)), frame, blobs(1208, 1920)


def test_flags_cost_a_small_part_of_counting_all_pixels(large: tuple[Plausibility, np.ndarray, np.ndarray]) -> None:
    hook, frame, labels = large
    took: dict[str, list[float]] = {"flags": [], "all": []}
    for _ in range(9):
        started = time.thread_time()
        hook.flags(frame, labels, labels)
        between = time.thread_time()
        np.bincount(labels.ravel())
        took["flags"].append(between - started)
        took["all"].append(time.thread_time() - between)
    assert statistics.median(took["flags"]) < 0.2 * statistics.median(took["all"])


def test_flags_allocate_no_frame(large: tuple[Plausibility, np.ndarray, np.ndarray]) -> None:
    hook, frame, labels = large
    hook.flags(frame, labels, labels)
    tracemalloc.start()
    hook.flags(frame, labels, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * labels.nbytes


def require_ordinary_light(frames: list[np.ndarray], make_spec) -> None:
    height_px, width_px, _ = frames[0].shape
    hook, labels = Plausibility(make_spec(height_px=height_px, width_px=width_px)), np.zeros(frames[0].shape[:2], "u1")
    for frame in frames:
        assert hook.flags(frame, labels, None) == ()


@pytest.mark.parametrize(("name", "step"), [("cityscapes_pairs", 40), ("camvid", 8)])
def test_flags_of_some_real_frames_are_none(real_frames, make_spec, name: str, step: int) -> None:
    require_ordinary_light(real_frames(name, step), make_spec)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("cityscapes_pairs", 3225), ("camvid", 468)])
def test_flags_of_all_real_frames_are_none(real_frames, make_spec, name: str, count: int) -> None:
    frames = real_frames(name, 1)
    assert len(frames) == count
    require_ordinary_light(frames, make_spec)
