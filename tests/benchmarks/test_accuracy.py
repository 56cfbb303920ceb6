"""Scores of a hand-made data set, by hand."""

import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.accuracy import accuracy_record, evaluate_file, score_rows, tally_record
from runtime.camera import CameraSpec
from runtime.errors import DataError, SpecError
from trainer.data.dataset import Frame

CLASSES = ("road", "sky", "car")


def dataset_of(frames, classes=CLASSES):
    def read(split, index):
        predicted, truth = (np.asarray(each, np.uint8) for each in frames[index])
        return Frame(f"{split}/{index}.jpg", np.repeat(predicted[..., None], 3, axis=2), truth)

    def named(split):
        if split != "val":
            raise DataError(f"no frames in {split}")
        return tuple(str(index) for index in range(len(frames)))

    space = SimpleNamespace(name="three", classes=classes)
    return SimpleNamespace(path="DATA", label_space=space, frames=named, read=read)


@pytest.fixture
def segmenter(stub_segmenter):
    # answers with the frame's red channel: a test's frame says what will be predicted
    return stub_segmenter(classes=CLASSES, label_space="three", height_px=2, width_px=2)


def test_evaluate_file_over_two_frames_scores_one_matrix(segmenter):
    frames = [([[0, 0], [1, 1]], [[0, 0], [1, 0]]), ([[255, 1], [1, 1]], [[0, 255], [1, 1]])]
    result = evaluate_file(segmenter, dataset_of(frames)).scores()
    # truth road: 4 pixels, 2 right, 1 as sky, 1 as 255 (wrong); truth sky: 3 pixels, all right; one pixel ignored
    assert result.iou[0] == pytest.approx(2 / 4)
    assert result.iou[1] == pytest.approx(3 / 4)
    assert math.isnan(result.iou[2])
    assert result.mean_iou == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert result.pixel_accuracy == pytest.approx(5 / 7)
    assert (result.averaged_classes, result.pixels) == (2, 7)


def test_evaluate_file_of_a_larger_frame_scores_at_the_networks_size(segmenter):
    large = np.repeat(np.repeat([[0, 0], [1, 1]], 3, axis=0), 3, axis=1)
    assert evaluate_file(segmenter, dataset_of([(large, large)])).scores().pixels == 4


@pytest.mark.parametrize("batch", [2, 3])
def test_evaluate_file_for_batches_scores_every_frame_once(stub_segmenter, batch):
    segmenter = stub_segmenter(classes=CLASSES, label_space="three", height_px=2, width_px=2, batch=batch)
    frames = [([[label] * 2] * 2, [[truth] * 2] * 2) for label, truth in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 255))]
    result = evaluate_file(segmenter, dataset_of(frames)).scores()
    assert result.pixels == 16  # four frames that count; the rows that fill the last batch do not
    assert result.iou.tolist() == pytest.approx([4 / 8, 4 / 8, 1])


def test_evaluate_file_of_a_camera_compares_at_the_size_of_its_labels(stub_segmenter):
    camera = CameraSpec(height_px=4, width_px=6, layout="bgr", crop=(1, 2, 4, 2))
    changes = {"height_px": 2, "width_px": 4, "camera": camera}
    segmenter = stub_segmenter(classes=CLASSES, label_space="three", **changes)
    frames = [([[0, 1, 2, 2]] * 2, [[0, 1, 2, 0]] * 2)]
    result = evaluate_file(segmenter, dataset_of(frames)).scores()
    assert result.pixels == 8
    assert result.iou.tolist() == pytest.approx([2 / 4, 1, 2 / 4])


def test_evaluate_file_with_other_classes_is_refused(segmenter):
    with pytest.raises(SpecError, match="'sky', 'road', 'car'"):
        evaluate_file(segmenter, dataset_of([], classes=("sky", "road", "car")))


def test_evaluate_file_of_an_absent_split_is_refused(segmenter):
    with pytest.raises(DataError, match="no frames in test"):
        evaluate_file(segmenter, dataset_of([]), "test")


def test_score_rows_and_record_of_an_absent_class_show_no_number(segmenter):
    tally = evaluate_file(segmenter, dataset_of([([[0, 0], [1, 1]], [[0, 0], [1, 1]])]))
    assert score_rows(tally.scores(), CLASSES) == [
        ("road", "1.0000", "1.0000", "1.0000"),
        ("sky", "1.0000", "1.0000", "1.0000"),
        ("car", "-", "-", "-"),
        ("mean of 2", "1.0000", "1.0000", "-"),
    ]
    record = tally_record(tally, CLASSES)
    assert record["classes"]["car"] == {"iou": None, "dice": None, "accuracy": None}
    assert (record["mean_iou"], record["averaged_classes"], record["pixels"]) == (1.0, 2, 4)


def test_tally_record_keeps_the_matrix_and_the_frames_without_an_answer(segmenter):
    frames = [([[0, 2], [1, 1]], [[0, 0], [1, 2]]), ([[0, 1], [255, 1]], [[0, 1], [2, 255]])]
    record = tally_record(evaluate_file(segmenter, dataset_of(frames)), CLASSES)
    assert record["confusion"] == {
        "truth": ["road", "sky", "car"],
        "predicted": ["road", "sky", "car", None],
        "pixels": [[2, 0, 1, 0], [0, 2, 0, 0], [0, 1, 0, 1]],
    }
    assert (record["frames"], record["invalid_frames"]) == (2, 1)


def test_evaluate_file_decodes_in_a_thread_of_its_own(segmenter):
    frames, threads = [([[0] * 2] * 2,) * 2] * 3, []
    dataset = dataset_of(frames)
    plain = dataset.read
    dataset.read = lambda split, index: threads.append(threading.current_thread()) or plain(split, index)
    assert evaluate_file(segmenter, dataset).frames == 3
    assert threading.main_thread() not in threads
    assert len(threads) == 3


def test_evaluate_file_of_a_damaged_frame_says_so(segmenter):
    dataset = dataset_of([([[0] * 2] * 2,) * 2] * 3)
    plain = dataset.read

    def read(split, index):
        if index == 1:
            raise DataError("val/1.jpg is cut short")
        return plain(split, index)

    dataset.read = read
    with pytest.raises(DataError, match=r"val/1\.jpg is cut short"):
        evaluate_file(segmenter, dataset)


def test_accuracy_record_names_the_worst_class_that_is_there(segmenter):
    frames = [([[0, 0], [1, 1]], [[0, 0], [1, 0]])]  # road 2 of 3, sky 1 of 2, no car
    record = accuracy_record(evaluate_file(segmenter, dataset_of(frames)), CLASSES, "three", "val")
    assert record == {
        "data": "three",
        "split": "val",
        "frames": 1,
        "mean_iou": pytest.approx((2 / 3 + 1 / 2) / 2),
        "worst_class": {"name": "sky", "iou": pytest.approx(1 / 2)},
    }


def test_accuracy_record_of_a_split_without_labels_is_refused(segmenter):
    tally = evaluate_file(segmenter, dataset_of([([[0, 0], [1, 1]], [[255, 255], [255, 255]])]))
    with pytest.raises(DataError, match=r"three: .*'val' has none in 1 frames"):
        accuracy_record(tally, CLASSES, "three", "val")
