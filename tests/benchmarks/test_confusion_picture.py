"""Colours and words of hand-made confusion matrices, looked up in the picture itself."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks.confusion_picture import draw_confusion
from trainer.data.label_space import NAMES, label_space

SPACE = label_space("categories")  # cells of 60 x 40


@pytest.fixture
def texts(monkeypatch):
    """Every text that is drawn, in turn."""
    drawn = []
    plain = ImageDraw.ImageDraw.text

    def text(self, place, words, *rest, **named):
        drawn.append(words)
        plain(self, place, words, *rest, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return drawn


def picture(confusion, space=SPACE, title="model.onnx on data.zip, val"):
    return np.asarray(Image.open(io.BytesIO(draw_confusion(confusion, space, title=title)))).astype(int)


def all_right(space=SPACE):
    count = len(space.classes)
    return np.hstack([np.eye(count, dtype=np.int64) * 1000, np.zeros((count, 1), np.int64)])


def cell(image, confusion_columns, row, column, classes=7):
    """The colour of a cell, a few pixels off its corner; the grid's first line is the one darkest full row of it."""
    line = np.flatnonzero((image == 218).all(axis=2).sum(axis=1) > confusion_columns * 50)
    step = (line[-1] - line[0]) // classes
    across = np.flatnonzero((image[line[0]] == 218).all(axis=1))
    width = (across[-1] - across[0]) // confusion_columns
    return tuple(image[line[0] + row * step + 3, across[0] + column * width + 3])


def test_draw_confusion_right_is_blue_wrong_is_red_and_absent_is_grey():
    confusion = all_right()
    confusion[1, 1], confusion[1, 4] = 500, 500
    confusion[3] = 0
    image = picture(confusion)
    assert cell(image, 7, 0, 0) == (22, 94, 155)  # all of them
    assert cell(image, 7, 0, 1) == (255, 255, 255)  # none
    red, green, blue = cell(image, 7, 1, 4)
    assert red > green > blue
    red, green, blue = cell(image, 7, 1, 1)
    assert red < green < blue < 255
    assert {cell(image, 7, 3, column) for column in range(7)} == {(236, 236, 236)}


def test_draw_confusion_writes_shares_of_each_row(texts):
    confusion = all_right()
    confusion[0, :3] = 8750, 1249, 1  # of 10,000: 87.5 %, 12.49 % and too little for a number
    confusion[6] = 0
    picture(confusion)
    assert [text for text in texts if text in ("87.5", "12.5", "·", "100.0")] == ["87.5", "12.5", "·", *["100.0"] * 5]
    assert "66.67 %" in texts  # of the pixels are of the first class: 10,000 of 15,000
    assert texts.count("absent") == 1
    assert "no answer" not in texts


def test_draw_confusion_pixels_without_an_answer_have_a_column(texts):
    confusion = all_right()
    confusion[2, 7] = 1000
    image = picture(confusion)
    assert texts.count("no answer") == 1
    assert texts.count("50.0") == 2
    red, _, blue = cell(image, 8, 2, 7)
    assert red > blue


@pytest.mark.parametrize("name", NAMES)
def test_draw_confusion_names_every_class_twice(texts, name):
    space = label_space(name)
    picture(all_right(space), space)
    assert {each: texts.count(each) for each in space.classes} == dict.fromkeys(space.classes, 2)


def test_draw_confusion_of_nothing_is_all_absent(texts):
    picture(np.zeros((7, 8), np.int64))
    assert texts.count("absent") == 7


def test_draw_confusion_long_words_do_not_widen_the_picture(texts):
    space = replace(SPACE, classes=("x" * 400, *SPACE.classes[1:]))
    assert picture(all_right(), space, title="y" * 900).shape[1] < 900
    shown = [text for text in texts if "..." in text]
    assert [text[0] for text in shown] == ["y", "x", "x"]
