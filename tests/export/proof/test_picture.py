import io

import numpy as np
import pytest
from PIL import Image

from export.proof.picture import DIFFERS_COLOUR, ComparedFrame, WorstFrames, draw_picture
from runtime.camera import CameraSpec
from runtime.errors import UsageError
from runtime.spec import ModelSpec
from trainer.data.label_space import NAMES, label_space

TOP = 2 * 8 + 2 * 24  # margins, title and column heads; each row then begins with a line of 24 for its name
CELL, STEP = 256, 264


def row(
    name: str = "val/1.jpg", size: tuple[int, int] = (128, 128), differing: int = 0, **changes: object
) -> ComparedFrame:
    reference = np.zeros(size, np.uint8)
    candidate = reference.copy()
    candidate.reshape(-1)[:differing] = 1
    facts = {
        "image": np.full((*size, 3), 200, np.uint8),
        "truth_hw": np.full(size, 2, np.uint8),
        "reference_hw": reference,
        "candidate_hw": candidate,
    }
    return ComparedFrame(name=name, **(facts | changes))


def make_spec(size: tuple[int, int] = (128, 128), space: str = "categories", **changes: object) -> ModelSpec:
    named = label_space(space)
    facts = {
        "label_space": space,
        "classes": named.classes,
        "palette": named.palette,
        "height_px": size[0],
        "width_px": size[1],
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "precision": "fp32",
        "training": {},
        "producer": {},
    }
    return ModelSpec(**(facts | changes))


def draw(rows: list[ComparedFrame], spec: ModelSpec | None = None, **settings: object) -> np.ndarray:
    data = draw_picture(rows, spec or make_spec(), **({"title": "parity"} | settings))
    return np.asarray(Image.open(io.BytesIO(data)))


def cell(picture: np.ndarray, line: int, column: int, height: int = CELL) -> np.ndarray:
    top = TOP + line * (24 + height + 8) + 24
    return picture[top : top + height, 8 + column * STEP : 8 + column * STEP + CELL]


def test_draw_picture_shows_frame_truth_network_file_and_differences() -> None:
    space, picture = label_space("categories"), draw([row(differing=128 * 64), row("val/2.jpg")])
    assert (cell(picture, 0, 0) == 200).all()
    assert (cell(picture, 0, 1) == space.palette[2]).all()
    assert (cell(picture, 0, 2) == space.palette[0]).all()
    upper, lower = cell(picture, 0, 3)[:128], cell(picture, 0, 3)[128:]
    assert (upper == space.palette[1]).all()
    assert (lower == space.palette[0]).all()
    assert (cell(picture, 0, 4)[:128] == DIFFERS_COLOUR).all()
    assert (cell(picture, 0, 4)[128:] == 90).all()  # 200, dimmed, grey
    assert (cell(picture, 1, 4) == 90).all()


def test_draw_picture_no_answer_is_black() -> None:
    picture = draw([row(candidate_hw=np.full((128, 128), 255, np.uint8))])
    assert (cell(picture, 0, 3) == 0).all()
    assert (cell(picture, 0, 4) == DIFFERS_COLOUR).all()


def test_draw_picture_one_pixel_of_a_large_frame_is_seen() -> None:
    candidate = np.zeros((1208, 1920), np.uint8)
    candidate[600, 1000] = 1
    picture = draw([row(size=(1208, 1920), candidate_hw=candidate)], make_spec((1208, 1920)))
    seen = (cell(picture, 0, 4, 161) == DIFFERS_COLOUR).all(axis=2)
    assert 25 <= seen.sum() <= 36  # grown to 5 x 5, or more where it falls on two or four
    assert seen[round(600 / 1208 * 161) - 1 : round(600 / 1208 * 161) + 2].any()


def test_draw_picture_nv12_frame_is_shown_as_rgb_and_cropped() -> None:
    """Full-range BT.709 by the formula: Y 128, U 128, V 228 is R = 128 + 1.5748 * 100, G = 128 - 0.4681 * 100."""
    camera = CameraSpec(
        height_px=64,
        width_px=96,
        layout="nv12",
        yuv_matrix="bt709",
        yuv_range="full",
        crop=(0, 32, 64, 32),
        resize="products",
    )
    frame = np.full(camera.frame_shape, 128, np.uint8)
    frame[64:, 1::2] = 228
    frame[:32] = 16  # above the crop
    picture = draw([row(size=(16, 32), image=frame)], make_spec((16, 32), camera=camera))
    found = cell(picture, 0, 0, 128).reshape(-1, 3)
    np.testing.assert_allclose(found, np.broadcast_to([255, 81, 128], found.shape), atol=1)
    assert (cell(picture, 0, 1, 128) == label_space("categories").palette[2]).all()


def test_draw_picture_without_truth_has_no_column_for_it() -> None:
    assert draw([row(truth_hw=None)]).shape[1] == 8 + 4 * STEP
    mixed = draw([row(), row(truth_hw=None)])
    assert (cell(mixed, 1, 1) == 250).all()


@pytest.mark.parametrize(
    ("space", "size"),
    [*((name, (128, 128)) for name in NAMES), *(("categories", size) for size in [(360, 480), (604, 960), (256, 64)])],
)
def test_draw_picture_nothing_runs_over_the_edges(space: str, size: tuple[int, int]) -> None:
    long = "a_very_long_name_" * 30
    with_truth = None if size == (256, 64) else np.full(size, 2, np.uint8)
    rows = [row(long + ".png", size, 5, truth_hw=with_truth), row("val/\udcff.png", size, truth_hw=with_truth)]
    picture = draw(rows, make_spec(size, space), title=long, notes=[long, "short"])
    border = np.concatenate(
        [picture[:, -7:].reshape(-1, 3), picture[-7:].reshape(-1, 3), picture[:, :7].reshape(-1, 3)]
    )
    assert (border == 250).all()


@pytest.mark.parametrize("space", NAMES)
def test_draw_picture_legend_has_every_class_colour_and_is_apart_from_the_frames(space: str) -> None:
    picture = draw([row()], make_spec(space=space))
    legend = picture[TOP + 24 + CELL :]
    assert (legend[:8] == 250).all()
    present = {tuple(colour) for colour in np.unique(legend.reshape(-1, 3), axis=0).tolist()}
    assert {*label_space(space).palette, DIFFERS_COLOUR, (0, 0, 0)} <= present


@pytest.mark.parametrize("space", NAMES)
def test_differs_colour_is_far_from_every_class(space: str) -> None:
    palette = np.array(label_space(space).palette, int)
    assert np.abs(palette - DIFFERS_COLOUR).sum(axis=1).min() > 120


def test_draw_picture_caption_says_how_many_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageDraw

    texts: list[str] = []
    plain = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, xy, text, *rest: texts.append(text) or plain(self, xy, text, *rest)
    )
    draw([row(differing=164)])
    assert "98.999% of labels agree, 164 of 16,384 pixels differ" in texts  # 16220 / 16384


def test_draw_picture_refuses_no_rows() -> None:
    with pytest.raises(UsageError, match="one frame or more to draw, got none"):
        draw([])


def test_worst_frames_keeps_those_with_most_differing_pixels_in_order() -> None:
    worst = WorstFrames(count=3)
    for name, differing in (("a", 3), ("b", 9), ("c", 0), ("d", 9), ("e", 5), ("f", 3)):
        worst.offer(row(name, differing=differing))
    assert [kept.name for kept in worst.frames()] == ["b", "d", "e"]


def test_worst_frames_of_fewer_frames_keeps_all() -> None:
    worst = WorstFrames(count=3)
    worst.offer(row("a"))
    assert [kept.name for kept in worst.frames()] == ["a"]
