import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime.camera import CameraSpec
from runtime.spec import ModelSpec
from trainer.data.camera_frames import as_camera_frame

HEIGHT, WIDTH = 48, 64


def spec(camera: CameraSpec | None) -> ModelSpec:
    return ModelSpec(
        label_space="test",
        classes=("a", "b"),
        palette=((1, 2, 3), (4, 5, 6)),
        height_px=24,
        width_px=32,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        precision="fp32",
        training={},
        producer={},
        camera=camera,
    )


def camera(layout: str = "rgb", matrix: str = "bt601", levels: str = "limited", crop=None) -> CameraSpec:
    yuv = {"yuv_matrix": matrix, "yuv_range": levels} if layout in ("nv12", "uyvy") else {}
    return CameraSpec(height_px=HEIGHT, width_px=WIDTH, layout=layout, resize="products", crop=crop, **yuv)


def patches() -> NDArray[np.uint8]:
    """Random colours in blocks of 8x8 pixels, so that chroma is the same however it is shared."""
    colours = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)


def test_as_camera_frame_without_a_camera_is_of_the_networks_size() -> None:
    expected = np.array(Image.fromarray(patches()).resize((32, 24), Image.Resampling.BILINEAR))
    assert np.array_equal(as_camera_frame(patches(), spec(None)), expected)


@pytest.mark.parametrize("layout", ["rgb", "bgr", "nv12", "uyvy"])
@pytest.mark.parametrize("crop", [None, (3, 5, 41, 31)])
def test_as_camera_frame_has_the_shape_of_the_spec(layout: str, crop) -> None:
    found = spec(camera(layout, crop=crop))
    frame = as_camera_frame(patches()[:20, :37], found)
    assert (frame.shape, frame.dtype, frame.flags.c_contiguous) == (found.frame_shape, np.uint8, True)


def test_as_camera_frame_bgr_is_rgb_turned_round() -> None:
    frame = as_camera_frame(patches(), spec(camera("bgr")))
    assert np.array_equal(frame[:, :, ::-1], patches())


def test_as_camera_frame_fills_the_crop_and_repeats_its_border_around() -> None:
    x, y, width, height = crop = (3, 5, 41, 31)
    frame = as_camera_frame(patches(), spec(camera(crop=crop)))
    seen = np.array(Image.fromarray(patches()).resize((width, height), Image.Resampling.BILINEAR))
    assert np.array_equal(frame[y : y + height, x : x + width], seen)
    assert (frame[:y, :x] == seen[0, 0]).all()
    assert (frame[y + height :, x + width :] == seen[-1, -1]).all()
    assert np.array_equal(frame[y : y + height, 0], seen[:, 0])


@pytest.mark.parametrize(("layout", "code"), [("nv12", "COLOR_YUV2RGB_NV12"), ("uyvy", "COLOR_YUV2RGB_UYVY")])
def test_as_camera_frame_yuv_read_by_opencv_is_the_picture(layout: str, code: str) -> None:
    cv2 = pytest.importorskip("cv2")
    frame = as_camera_frame(patches(), spec(camera(layout)))
    seen = cv2.cvtColor(frame, getattr(cv2, code)).astype(int)
    assert np.abs(seen - patches()).max() <= 3  # three bytes of whole levels hold no more of a colour


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("levels", ["limited", "full"])
def test_as_camera_frame_yuv_agrees_with_ffmpeg(matrix: str, levels: str) -> None:
    av, reformatter = pytest.importorskip("av"), pytest.importorskip("av.video.reformatter")
    picture = av.VideoFrame.from_ndarray(patches(), format="rgb24").reformat(
        format="yuv444p",
        dst_colorspace={"bt601": reformatter.Colorspace.ITU601, "bt709": reformatter.Colorspace.ITU709}[matrix],
        src_color_range=reformatter.ColorRange.JPEG,
        dst_color_range={"limited": reformatter.ColorRange.MPEG, "full": reformatter.ColorRange.JPEG}[levels],
    )
    y, u, v = (plane.astype(int) for plane in picture.to_ndarray())
    frame = as_camera_frame(patches(), spec(camera("nv12", matrix, levels))).astype(int)
    chroma = frame[HEIGHT:].reshape(HEIGHT // 2, WIDTH // 2, 2)
    for found, expected in ((frame[:HEIGHT], y), (chroma[:, :, 0], u[::2, ::2]), (chroma[:, :, 1], v[::2, ::2])):
        assert np.abs(found - expected).max() <= 1


def test_as_camera_frame_chroma_is_the_mean_of_those_that_share_it() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[0, 0] = (0, 0, 255)  # one blue pixel of four
    full = camera("nv12", levels="full")
    # U of blue is 255.5, of black 128: (255.5 + 3 * 128) / 4 = 159.875; of two: 191.75
    assert as_camera_frame(image, spec(full))[HEIGHT, 0] == 160
    assert as_camera_frame(image, spec(camera("uyvy", levels="full")))[0, 0, 0] == 192
