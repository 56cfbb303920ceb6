import numpy as np
import pytest
from PIL import Image

from export.proof.camera_reference import reference_stages
from runtime.camera import CameraSpec
from runtime.errors import FrameError

HEIGHT, WIDTH = 48, 64


def camera(layout: str = "rgb", **more) -> CameraSpec:
    yuv = {"yuv_matrix": "bt601", "yuv_range": "limited"} if layout in ("nv12", "uyvy") else {}
    return CameraSpec(height_px=HEIGHT, width_px=WIDTH, layout=layout, resize="products", **{**yuv, **more})


def frame(found: CameraSpec) -> np.ndarray:
    return np.random.default_rng(0).integers(16, 256, found.frame_shape, dtype=np.uint8)


@pytest.mark.parametrize(("layout", "code"), [("nv12", "COLOR_YUV2RGB_NV12"), ("uyvy", "COLOR_YUV2RGB_UYVY")])
def test_reference_colour_agrees_with_opencv(layout: str, code: str) -> None:
    cv2 = pytest.importorskip("cv2")
    found = camera(layout)
    colour = reference_stages(frame(found), found, 24, 32)["colour"]
    assert colour.dtype == np.float64
    assert np.abs(colour - cv2.cvtColor(frame(found), getattr(cv2, code))).max() < 1


@pytest.mark.parametrize(
    ("matrix", "red"), [("bt601", (81, 90, 240)), ("bt709", (63, 102, 240))]  # R'G'B' 255, 0, 0 in whole levels
)  # fmt: skip
def test_reference_colour_red_of_the_standards_is_red(matrix: str, red: tuple[int, int, int]) -> None:
    found = CameraSpec(height_px=2, width_px=2, layout="nv12", yuv_matrix=matrix, yuv_range="limited")
    bytes_ = np.array([[red[0]] * 2, [red[0]] * 2, red[1:]], np.uint8)
    np.testing.assert_allclose(reference_stages(bytes_, found, 2, 2)["colour"][0, 0], [255, 0, 0], atol=1.5)


def test_reference_colour_full_range_agrees_with_pillow() -> None:
    """Pillow's YCbCr is that of JPEG: BT.601, full range."""
    found = camera("uyvy", yuv_range="full")
    bytes_ = frame(found)
    ycc = np.stack([bytes_[:, :, 1], bytes_[:, 0::2, 0].repeat(2, 1), bytes_[:, 1::2, 0].repeat(2, 1)], axis=-1)
    expected = np.array(Image.fromarray(ycc, "YCbCr").convert("RGB")).astype(float)
    assert np.abs(reference_stages(bytes_, found, 24, 32)["colour"] - expected).max() <= 1.5


def test_reference_colour_of_bgr_is_turned_round() -> None:
    found = camera("bgr")
    assert np.array_equal(reference_stages(frame(found), found, 24, 32)["colour"], frame(found)[:, :, ::-1])


def test_reference_crop_is_taken_before_the_resize() -> None:
    found = camera(crop=(5, 3, 40, 30))
    stages = reference_stages(frame(found), found, 15, 20)
    seen = frame(found)[3:33, 5:45]
    assert np.array_equal(stages["colour"], seen)
    expected = np.array(Image.fromarray(seen).resize((20, 15), Image.Resampling.BILINEAR)).astype(float)
    assert np.abs(stages["resized"] - expected).max() < 1


@pytest.mark.parametrize("size", [(24, 32), (13, 50), (48, 20), (96, 100), (48, 64)])
def test_reference_resized_agrees_with_pillow(size: tuple[int, int]) -> None:
    found = camera()
    expected = np.array(Image.fromarray(frame(found)).resize(size[::-1], Image.Resampling.BILINEAR)).astype(float)
    assert np.abs(reference_stages(frame(found), found, *size)["resized"] - expected).max() <= 1 + 1e-9


def test_reference_without_a_camera_is_the_frame() -> None:
    image = frame(camera())
    stages = reference_stages(image, None, HEIGHT, WIDTH)
    assert np.array_equal(stages["colour"], image)
    assert np.array_equal(stages["resized"], image)


def test_reference_frame_of_another_shape_is_refused() -> None:
    with pytest.raises(FrameError, match=r"expected a frame uint8 \[72, 64\], got uint8 \[48, 64, 3\]"):
        reference_stages(frame(camera()), camera("nv12"), 24, 32)
