"""Colours and words of hand-made frames, looked up in the picture itself."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks.approval.comparison import LabelledFrame
from benchmarks.approval.picture import BETTER, NEITHER, WORSE, WorstFrame, draw_worst_frames
from benchmarks.approval.worst import FrameLoss
from runtime.errors import UsageError
from trainer.data.label_space import label_space
from trainer.panel import CELL_PX, MARGIN_PX, ROW_PX

SPACE = label_space("categories")
TOP = 2 * MARGIN_PX + 3 * ROW_PX + ROW_PX  # of the first row of cells, under one note


def worst(truth, old, new, name="val/1.jpg"):
    labels = [np.array(each, np.uint8) for each in (truth, old, new)]
    image = np.full((*labels[0].shape, 3), 200, np.uint8)
    maps = dict(zip(("truth_hw", "old_hw", "new_hw"), labels, strict=True))
    return WorstFrame(
        frame=LabelledFrame(index=0, name=name, image_hwc=image, **maps),
        loss=FrameLoss(index=0, name=name, loss=0.1, class_name="human", class_loss=0.25),
    )


def drawn(*frames):
    data = draw_worst_frames(frames, SPACE, title="where NEW lost most", notes=["OLD a NEW b"])
    return np.asarray(Image.open(io.BytesIO(data)))


def cell(image, column, row=0):
    left, top = MARGIN_PX + column * (CELL_PX + MARGIN_PX), TOP + row * (ROW_PX + CELL_PX + MARGIN_PX)
    return image[top : top + CELL_PX, left : left + CELL_PX]


def test_draw_worst_frames_shows_frame_truth_old_new_and_what_changed() -> None:
    image = drawn(worst([[0, 1], [5, 255]], [[0, 2], [5, 0]], [[1, 1], [5, 1]]), worst([[4]], [[0]], [[1]]))
    assert tuple(cell(image, 0)[9, 9]) == (200, 200, 200)
    for column, labels in ((1, (0, 1, 5)), (2, (0, 2, 5)), (3, (1, 1, 5))):
        corners = [cell(image, column)[y, x] for y, x in ((9, 9), (9, 200), (200, 9))]
        assert [tuple(each) for each in corners] == [SPACE.palette[label] for label in labels]
    assert tuple(cell(image, 1)[200, 200]) == (0, 0, 0)
    changed = [tuple(cell(image, 4)[y, x]) for y, x in ((9, 9), (9, 200), (200, 9), (200, 200))]
    assert changed == [WORSE, BETTER, (90, 90, 90), (90, 90, 90)]  # an ignored pixel that changed is no change
    assert tuple(cell(image, 4, row=1)[9, 9]) == NEITHER


def test_draw_worst_frames_of_a_large_map_still_shows_one_pixel_and_never_covers_what_is_worse() -> None:
    truth = np.zeros((1024, 1024), np.uint8)
    old, new = truth.copy(), truth.copy()
    new[500, 500] = 1  # worse
    old[501, 500] = 1  # better, in the same pixel of the cell
    changed = cell(drawn(worst(truth, old, new)), 4)
    assert (changed == WORSE).all(axis=2).sum() == 1
    assert not (changed == BETTER).all(axis=2).any()


def test_draw_worst_frames_says_what_each_frame_lost(monkeypatch) -> None:
    texts = []
    plain = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, *rest, **named: texts.append(rest[1]) or plain(self, *rest, **named)
    )
    drawn(worst([[0, 1], [5, 5]], [[0, 2], [5, 0]], [[1, 1], [5, 1]], name="v" * 300))
    said = "25.0% of its pixels turned wrong, 25.0% turned right, 25.0% wrong both times; it lost most of human: 25.00%"
    assert [text for text in texts if text.startswith(said)]
    assert not [text for text in texts if text == "v" * 300]  # a long name gives way
    assert {"OLD", "NEW", "changed", "human", "changed: turned wrong"} <= set(texts)


def test_draw_worst_frames_of_none_is_refused() -> None:
    with pytest.raises(UsageError, match="expected one frame or more to draw, got none"):
        drawn()
