import io

import numpy as np
from PIL import Image, ImageFont

from trainer.data.label_space import label_space
from trainer.panel import PanelRow, draw_panel, fitted


def panel(**changes: object) -> np.ndarray:
    space = label_space("categories")
    truth = np.full((64, 128), 4, np.uint8)
    truth[32:] = 255
    row = PanelRow(image_hwc=np.full((64, 128, 3), 200, np.uint8), truth_hw=truth, predicted_hw=np.zeros_like(truth))
    settings = {"title": "epoch 1", "iou": [0.5] * 6 + [float("nan")], **changes}
    return np.asarray(Image.open(io.BytesIO(draw_panel([row, row], space, **settings))))


def test_draw_panel_shows_photo_truth_and_prediction_side_by_side() -> None:
    space, picture = label_space("categories"), panel()
    # cells of 256x128, margins of 8, below title and column heads (56)
    assert picture[60, 60].tolist() == [200, 200, 200]
    assert picture[60, 8 + 264 + 50].tolist() == list(space.palette[4])
    assert picture[56 + 100, 8 + 264 + 50].tolist() == [0, 0, 0]
    assert picture[60, 8 + 2 * 264 + 50].tolist() == list(space.palette[0])


def test_draw_panel_legend_has_every_class_colour() -> None:
    legend = panel()[56 + 2 * 136 :].reshape(-1, 3)
    present = {tuple(colour) for colour in np.unique(legend, axis=0).tolist()}
    assert set(label_space("categories").palette) <= present


def test_draw_panel_19_classes_fit_the_width() -> None:
    space = label_space("cityscapes")
    row = PanelRow(image_hwc=np.zeros((64, 64, 3), np.uint8), truth_hw=np.zeros((64, 64), np.uint8))
    picture = np.asarray(Image.open(io.BytesIO(draw_panel([row], space, title="", iou=[0.123] * 19))))
    assert (picture[:, -2:] == 250).all()  # nothing runs over the right margin


def test_fitted_long_text_keeps_both_ends() -> None:
    font = ImageFont.load_default(15)
    shown = fitted("val/" + "x" * 500 + "end.png", font, 200)
    assert shown.startswith("val/")
    assert shown.endswith("end.png")
    assert "..." in shown
    assert font.getlength(shown) <= 200
    assert fitted("short", font, 200) == "short"
