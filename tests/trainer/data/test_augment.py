import numpy as np
import pytest

from runtime.errors import UsageError
from trainer.data.augment import PADDING_RGB, Augmentation, augment, fit
from trainer.data.dataset import Frame
from trainer.data.images import resize_image, resize_labels
from trainer.data.light import Light, relight
from trainer.networks.ends import IMAGENET_MEAN


def coordinates(height: int = 200, width: int = 250) -> Frame:
    """Red is the column, green the row; the labels are the columns too, so that any shift between them shows."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Frame("train/1.png", np.stack([columns, rows, np.zeros_like(rows)], axis=-1), columns)


def photo(height: int = 200, width: int = 250) -> Frame:
    """The same picture with labels of one class: for what is not about labels, whose vote costs time per class."""
    whole = coordinates(height, width)
    return Frame(whole.name, whole.image_hwc, np.zeros((height, width), np.uint8))


def shift_px(frame: Frame) -> float:
    """The largest distance, in source pixels, between what image and labels show at one place."""
    return float(np.abs(frame.image_hwc[..., 0].astype(int) - frame.labels_hw.astype(int)).max())


def test_augment_same_draw_is_the_same_frame_in_any_order() -> None:
    frame, config = coordinates(), Augmentation(crop=1)
    first = [augment(frame, config, 64, 80, seed=1, epoch=2, index=index) for index in range(8)]
    again = [augment(frame, config, 64, 80, seed=1, epoch=2, index=index) for index in reversed(range(8))][::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image_hwc, other.image_hwc)
        np.testing.assert_array_equal(one.labels_hw, other.labels_hw)


def test_augment_seed_epoch_and_index_each_change_the_draw() -> None:
    frame, config = photo(), Augmentation(crop=1)
    draws = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (2**33, 0, 0)]
    frames = {
        augment(frame, config, 64, 80, seed=seed, epoch=epoch, index=index).image_hwc.tobytes()
        for seed, epoch, index in draws
    }
    assert len(frames) == len(draws)


@pytest.mark.parametrize(("height", "width"), [(200, 250), (100, 125), (64, 80), (300, 400), (128, 128)])
def test_augment_image_and_labels_stay_aligned_to_a_pixel(height: int, width: int) -> None:
    allowed = 1.0 + max(250 / width, 1.0) * 0.5  # nearest may be half a source step off, and the border half of another
    for index in range(10):
        made = augment(coordinates(), Augmentation(crop=1, max_scale=2.0), height, width, seed=0, epoch=0, index=index)
        assert made.image_hwc.shape == (height, width, 3)
        assert made.labels_hw.shape == (height, width)
        assert shift_px(made) <= allowed


def test_shift_px_catches_labels_that_are_mirrored_or_moved() -> None:
    made = augment(coordinates(), Augmentation(crop=1, flip=0), 200, 250, seed=0, epoch=0, index=0)
    assert shift_px(Frame("x", made.image_hwc, made.labels_hw[:, ::-1])) > 100
    assert shift_px(Frame("x", made.image_hwc[:, 4:], made.labels_hw[:, :-4])) > 1.5


def test_augment_crop_keeps_the_frames_aspect_and_stays_within_the_scales() -> None:
    config = Augmentation(crop=1, flip=0, min_scale=1.2, max_scale=1.6)
    shares = []
    for index in range(60):
        made = augment(photo(), config, 100, 100, seed=0, epoch=0, index=index).image_hwc.astype(float)
        columns = (made[50, 90, 0] - made[50, 10, 0]) / 80 * 100 / 250  # share of the frame that the crop is wide
        rows = (made[90, 50, 1] - made[10, 50, 1]) / 80 * 100 / 200
        assert columns == pytest.approx(rows, abs=0.02)
        shares.append(columns)
    assert 1 / 1.6 - 0.02 < min(shares) < 0.66
    assert 0.8 < max(shares) < 1 / 1.2 + 0.02


def test_augment_crops_reach_every_border() -> None:
    frames = [
        augment(photo(), Augmentation(crop=1, flip=0), 100, 125, seed=0, epoch=0, index=index).image_hwc
        for index in range(200)
    ]
    assert min(frame[0, 0, 0] for frame in frames) <= 1
    assert max(frame[0, -1, 0] for frame in frames) >= 247
    assert min(frame[0, 0, 1] for frame in frames) <= 1
    assert max(frame[-1, 0, 1] for frame in frames) >= 197


@pytest.mark.parametrize(("flip", "expected"), [(0.0, 0), (1.0, 200), (0.5, 100)])
def test_augment_flips_as_often_as_asked(flip: float, expected: int) -> None:
    config = Augmentation(crop=1, flip=flip)
    made = [augment(photo(), config, 20, 25, seed=0, epoch=0, index=index) for index in range(200)]
    flipped = sum(int(frame.image_hwc[0, 0, 0]) > int(frame.image_hwc[0, -1, 0]) for frame in made)
    assert abs(flipped - expected) <= (30 if 0 < flip < 1 else 0)


def test_augment_without_flip_and_scale_is_fit() -> None:
    config = Augmentation(crop=1, flip=0, max_scale=1.0)
    for height, width in ((200, 250), (64, 64), (300, 500)):
        made = augment(coordinates(), config, height, width, seed=0, epoch=0, index=0)
        whole = fit(coordinates(), height, width)
        np.testing.assert_array_equal(made.image_hwc, whole.image_hwc)
        np.testing.assert_array_equal(made.labels_hw, whole.labels_hw)


def test_augment_labels_are_only_those_of_the_frame() -> None:
    labels = np.random.default_rng(0).choice(np.array([1, 5, 255], np.uint8), (50, 60))
    frame = Frame("x", np.zeros((50, 60, 3), np.uint8), labels)
    for index in range(20):
        made = augment(frame, Augmentation(crop=1, max_scale=3.0), 32, 32, seed=0, epoch=0, index=index)
        assert set(np.unique(made.labels_hw)) <= {1, 5, 255}


def test_augment_results_are_contiguous_and_leave_the_frame_alone() -> None:
    frame = photo()
    before = frame.image_hwc.copy()
    made = augment(frame, Augmentation(crop=1, flip=1), 200, 250, seed=0, epoch=0, index=0)
    made.image_hwc[:] = 0
    assert made.image_hwc.flags.c_contiguous
    assert made.labels_hw.flags.c_contiguous
    np.testing.assert_array_equal(frame.image_hwc, before)


def test_augment_odd_sizes_and_extreme_scales_never_leave_the_frame() -> None:
    config = Augmentation(crop=1, min_scale=1.0, max_scale=1.0 + 1e-12)
    for size in (1, 3, 7, 251):
        frame = Frame("x", np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8))
        for index in range(50):
            augment(frame, config, 16, 16, seed=3, epoch=0, index=index)


@pytest.mark.parametrize("draw", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_augment_negative_draw_is_refused(draw: tuple[int, int, int]) -> None:
    seed, epoch, index = draw
    with pytest.raises(UsageError, match=f"got {seed}, {epoch} and {index}"):
        augment(photo(), Augmentation(crop=1), 16, 16, seed=seed, epoch=epoch, index=index)


@pytest.mark.parametrize(
    ("settings", "got"),
    [
        ({"flip": 1.5}, "got 1.5"),
        ({"crop": -0.5}, "got -0.5"),
        ({"flip": float("nan")}, "got nan"),
        ({"min_scale": 0.05}, "got min_scale 0.05"),
        ({"min_scale": 2.0, "max_scale": 1.5}, "min_scale 2.0 and max_scale 1.5"),
        ({"max_scale": float("inf")}, "max_scale inf"),
        ({"brightness": -0.1}, "brightness of 0 or more and finite, got -0.1"),
        ({"noise": float("nan")}, "noise of 0 or more and finite, got nan"),
    ],
)
def test_augmentation_impossible_settings_are_refused(settings: dict[str, float], got: str) -> None:
    with pytest.raises(UsageError, match=got):
        Augmentation(**settings)


def test_fit_at_its_own_size_is_the_same_pixels() -> None:
    frame = photo()
    whole = fit(frame, 200, 250)
    assert whole.name == frame.name
    assert whole.image_hwc is frame.image_hwc


def test_augment_crop_chance_leaves_the_other_frames_whole() -> None:
    frame = photo()
    whole = fit(frame, 100, 125).image_hwc
    config = Augmentation(crop=0.25, flip=0, min_scale=1.2)
    same = [
        np.array_equal(augment(frame, config, 100, 125, seed=0, epoch=1, index=index).image_hwc, whole)
        for index in range(200)
    ]
    assert 0.65 < np.mean(same) < 0.85  # 0.75 expected; five standard deviations are 0.15


def seed_frame(frame: Frame, height_px: int, width_px: int, seed: int, epoch: int, index: int) -> Frame:
    """What the first version made with its defaults, written out: runs of "seed" must stay what they were."""
    draws = np.random.default_rng([0x5E67, seed, epoch, index]).random(5)
    height, width = frame.labels_hw.shape
    share = 1 / (1.0 + float(draws[0]) * (1.25 - 1.0)) if float(draws[4]) < 0.25 else 1.0
    left, top = float(draws[1]) * (1 - share) * width, float(draws[2]) * (1 - share) * height
    box = (left, top, min(left + share * width, float(width)), min(top + share * height, float(height)))
    image_hwc = resize_image(frame.image_hwc, height_px, width_px, box)
    labels_hw = resize_labels(frame.labels_hw, height_px, width_px, box)
    if draws[3] < 0.5:
        image_hwc, labels_hw = image_hwc[:, ::-1], labels_hw[:, ::-1]
    return Frame(frame.name, image_hwc, labels_hw)


@pytest.mark.parametrize(("height", "width"), [(200, 250), (64, 80), (128, 128)])
def test_augment_defaults_give_the_first_versions_bytes(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 250, 3)).astype(np.uint8)
    labels = np.repeat(np.random.default_rng(1).integers(0, 7, (20, 25)).astype(np.uint8), 10, 0).repeat(10, 1)
    frame = Frame("x", image, labels)
    for index in range(60):
        made = augment(frame, Augmentation(), height, width, seed=index % 3, epoch=index % 7, index=index)
        expected = seed_frame(frame, height, width, seed=index % 3, epoch=index % 7, index=index)
        np.testing.assert_array_equal(made.image_hwc, expected.image_hwc)
        np.testing.assert_array_equal(made.labels_hw, expected.labels_hw)


def test_padding_is_the_colour_that_the_network_subtracts() -> None:
    np.testing.assert_array_equal(PADDING_RGB, np.rint(np.array(IMAGENET_MEAN) * 255))


def test_augment_below_scale_one_holds_the_whole_frame_in_ignored_padding() -> None:
    config = Augmentation(crop=1, flip=0, min_scale=0.5, max_scale=0.5)
    corners, small = set(), fit(coordinates(), 50, 62)
    for index in range(12):
        made = augment(coordinates(), config, 100, 125, seed=0, epoch=0, index=index)
        inside = made.labels_hw != 255
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert (len(rows), len(columns), int(inside.sum())) == (50, 62, 50 * 62)
        np.testing.assert_array_equal(made.image_hwc[inside], small.image_hwc.reshape(-1, 3))
        np.testing.assert_array_equal(made.labels_hw[inside], small.labels_hw.ravel())
        assert (made.image_hwc[~inside] == PADDING_RGB).all()
        corners.add((int(rows[0]), int(columns[0])))
    assert len(corners) > 8
    assert all(0 <= row <= 50 and 0 <= column <= 63 for row, column in corners)


def test_augment_scales_below_and_above_one_come_evenly() -> None:
    config = Augmentation(crop=1, flip=0, min_scale=0.5, max_scale=2.0)
    padded = [
        (augment(photo(), config, 40, 50, seed=0, epoch=0, index=index).labels_hw == 255).any() for index in range(300)
    ]
    assert np.mean(padded) == pytest.approx(1 / 3, abs=0.1)  # 0.5 to 1 out of 0.5 to 2


def test_augment_light_changes_colours_and_nothing_else() -> None:
    plain = Augmentation(crop=1, min_scale=0.5, max_scale=2.0)
    lit = Augmentation(
        crop=1,
        min_scale=0.5,
        max_scale=2.0,
        brightness=0.5,
        contrast=0.5,
        saturation=0.5,
        gamma=0.5,
        blur_px=1,
        noise=4,
    )
    frame = Frame("x", coordinates().image_hwc, coordinates().labels_hw // 25)
    changed = 0
    for index in range(30):
        one = augment(frame, plain, 60, 75, seed=0, epoch=0, index=index)
        other = augment(frame, lit, 60, 75, seed=0, epoch=0, index=index)
        np.testing.assert_array_equal(one.labels_hw, other.labels_hw)
        changed += not np.array_equal(one.image_hwc, other.image_hwc)
    assert changed == 30


def test_augment_one_ingredient_does_not_change_the_draws_of_another() -> None:
    frame, whole = photo(), Augmentation(crop=0, flip=0, brightness=1.0)
    cropped = Augmentation(crop=1, flip=1, brightness=1.0, noise=0.0, gamma=0.0)
    for index in range(20):
        # the brightest level of the frame tells the factor that was drawn
        light = augment(frame, whole, 200, 250, seed=0, epoch=0, index=index).image_hwc.astype(float)
        factor = light[100, 60, 0] / 60
        plain = augment(frame, Augmentation(crop=1, flip=1), 200, 250, seed=0, epoch=0, index=index)
        lit = augment(frame, cropped, 200, 250, seed=0, epoch=0, index=index)
        expected = relight(plain.image_hwc, Light(brightness=factor)).astype(int)
        assert np.abs(lit.image_hwc.astype(int) - expected).max() <= 3  # the factor is read off one rounded level


def test_augment_brightness_is_drawn_evenly_in_its_logarithm() -> None:
    frame = Frame("x", np.full((8, 8, 3), 60, np.uint8), np.zeros((8, 8), np.uint8))
    config = Augmentation(crop=0, flip=0, brightness=1.0)
    factors = np.array(
        [augment(frame, config, 8, 8, seed=0, epoch=0, index=index).image_hwc[0, 0, 0] / 60 for index in range(400)]
    )
    assert 0.5 <= factors.min() < 0.52
    assert 1.95 < factors.max() <= 2.0
    assert np.mean(factors < 1) == pytest.approx(0.5, abs=0.08)
