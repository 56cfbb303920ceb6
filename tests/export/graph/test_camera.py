import pytest

from export.graph.camera import fitting_crop, plan_camera
from runtime.camera import CameraSpec
from runtime.errors import UsageError


def plan(width: int = 1920, height: int = 1208, layout: str = "rgb", **more) -> CameraSpec:
    settings = {"network_height_px": 320, "network_width_px": 512, **more}
    return plan_camera(width_px=width, height_px=height, layout=layout, **settings)


def test_plan_camera_of_the_networks_aspect_sees_all_of_it() -> None:
    assert plan() == CameraSpec(height_px=1208, width_px=1920, layout="rgb", resize="products")


def test_plan_camera_of_the_networks_size_is_not_resized() -> None:
    assert plan(512, 320, "bgr").resize == "none"


def test_plan_camera_crop_of_the_networks_size_is_not_resized() -> None:
    camera = plan(crop=(3, 5, 512, 320), resize="resize-node")
    assert (camera.resize, camera.crop) == ("none", (3, 5, 512, 320))


def test_plan_camera_crop_of_everything_is_none() -> None:
    assert plan(crop=(0, 0, 1920, 1208)).crop is None


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(1920, 1208, "bt709"), (1280, 720, "bt709"), (720, 576, "bt601"), (640, 480, "bt601")],
)
def test_plan_camera_yuv_without_a_matrix_takes_that_of_its_size(width: int, height: int, matrix: str) -> None:
    camera = plan(width, height, "nv12", stretch=True)
    assert (camera.yuv_matrix, camera.yuv_range) == (matrix, "limited")


def test_plan_camera_yuv_matrix_and_range_that_are_given_stand() -> None:
    camera = plan(layout="uyvy", yuv_matrix="bt601", yuv_range="full")
    assert (camera.yuv_matrix, camera.yuv_range) == ("bt601", "full")


@pytest.mark.parametrize(
    ("width", "height", "fits"), [(1760, 1000, True), (1761, 1000, False), (1455, 1000, True), (1454, 1000, False)]
)
def test_plan_camera_aspect_may_differ_by_a_tenth(width: int, height: int, fits: bool) -> None:
    if fits:  # 512:320 is 1.6; a tenth more is 1.76, a tenth less 1.4545
        plan(width, height)
    else:
        with pytest.raises(UsageError, match=rf"its aspect, 512:320, got {width}x{height}, 10% "):
            plan(width, height)


def test_plan_camera_other_aspect_is_refused_with_the_crop_that_fits() -> None:
    with pytest.raises(
        UsageError, match=r"got 1920x1080, 33% wider; give --crop 240,0,1440,1080, or --stretch"
    ) as wide:
        plan(1920, 1080, network_height_px=192, network_width_px=256)
    assert "--camera 1920x1080" in str(wide.value)
    plan(1920, 1080, network_height_px=192, network_width_px=256, crop=(240, 0, 1440, 1080))


def test_plan_camera_narrow_picture_is_refused_with_the_crop_that_fits() -> None:
    with pytest.raises(UsageError, match=r"got 640x480, 50% narrower; give --crop 0,80,640,320"):
        plan(640, 480, network_height_px=256, network_width_px=512)


def test_plan_camera_crop_of_another_aspect_is_refused_with_one_inside_it() -> None:
    with pytest.raises(UsageError, match=r"got 1000x200, 212% wider; give --crop 440,300,320,200"):
        plan(crop=(100, 300, 1000, 200))


def test_plan_camera_stretch_takes_any_aspect() -> None:
    assert plan(1920, 1080, network_height_px=256, network_width_px=256, stretch=True).seen_shape == (1080, 1920)


@pytest.mark.parametrize(
    ("width", "height", "layout", "match"),
    [
        (1919, 1208, "nv12", "expected width_px to be an even number for nv12, got 1919"),
        (1920, 1207, "nv12", "expected height_px to be an even number for nv12, got 1207"),
        (1919, 1208, "uyvy", "expected width_px to be an even number for uyvy, got 1919"),
        (1920, 1208, "yuyv", "expected layout to be .*, got 'yuyv'"),
        (0, 1208, "rgb", "expected width_px to be 1 to 16384, got 0"),
    ],
)
def test_plan_camera_that_can_not_be_is_refused(width: int, height: int, layout: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        plan(width, height, layout)


def test_plan_camera_odd_height_of_uyvy_is_taken() -> None:
    assert plan(1920, 1207, "uyvy").frame_shape == (1207, 1920, 2)


def test_plan_camera_crop_beyond_the_frame_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"expected crop to be a part of the frame of 1920x1208, got \[1500, 0, 512, 320\]"
    ):
        plan(crop=(1500, 0, 512, 320))


def test_plan_camera_unknown_resize_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected resize to be .*, got 'nearest'"):
        plan(resize="nearest")


@pytest.mark.parametrize("seen", [(1919, 1207), (333, 97), (31, 500), (2, 900)])
def test_fitting_crop_is_inside_even_and_of_the_aspect(seen: tuple[int, int]) -> None:
    width, height = seen
    camera = CameraSpec(height_px=1300, width_px=2000, crop=(7, 9, width, height))
    x, y, crop_width, crop_height = fitting_crop(camera, (320, 512))
    assert 6 <= x <= x + crop_width <= 7 + width
    assert 8 <= y <= y + crop_height <= 9 + height
    assert crop_width % 2 == crop_height % 2 == 0 or 1 in (crop_width, crop_height)
    assert max(crop_width / width, crop_height / height) > 0.9 or min(seen) < 4
