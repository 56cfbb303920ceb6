"""Counts how well a model file does on a data set, at its labels' size, through the runtime that ships. No torch."""

import math

import numpy as np

from benchmarks.labelling import label_each, picture_size
from benchmarks.sized_frames import sized_frames
from runtime.errors import SpecError
from runtime.metrics import Scores, confusion_matrix, scores
from runtime.segmenter import Segmenter
from trainer.data.dataset import Dataset
from trainer.json_file import number

SCORE_COLUMNS = ("class", "IoU", "Dice", "accuracy")


def evaluate_file(segmenter: Segmenter, dataset: Dataset, split: str = "val") -> Scores:
    """Runs every frame of a split through the file and scores one confusion matrix of them all.

    Images become what the file's camera would deliver (`as_camera_frame`), and truth comes to the size of the
    file's label map by a vote (`resize_labels`): scores are at that size.

    Args:
        segmenter: an open one; left open.
        dataset: opened with the file's own label space.
        split: "train", "val" or whatever the data set has.

    Raises:
        SpecError: the data set was opened with classes other than the file's.
        DataError: the split is absent or empty, or a frame is not readable.
    """
    spec = segmenter.spec
    if tuple(spec.classes) != tuple(dataset.label_space.classes):
        raise SpecError(
            f"{dataset.path}: the file's classes {list(spec.classes)} were expected, the label space "
            f"{dataset.label_space.name!r} has {list(dataset.label_space.classes)}; "
            f"open the data set with the label space {spec.label_space!r}, or export the file again"
        )
    class_count = len(spec.classes)
    confusion = np.zeros((class_count, class_count + 1), dtype=np.int64)
    frames = sized_frames(dataset, split, *picture_size(spec), "evaluating", spec.labels_shape)
    pictures = ((frame.labels_hw, frame.image_hwc) for frame in frames)
    for truth_hw, labels_hw, _ in label_each(segmenter, pictures):
        confusion += confusion_matrix(truth_hw, labels_hw, class_count, ignore_id=spec.ignore_id)
    return scores(confusion)


def score_rows(result: Scores, classes: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Returns table rows under `SCORE_COLUMNS`: one per class, then the mean over the classes present, 0 to 1.

    Args:
        result: the scores.
        classes: names, in the order of the scores.
    """
    rows = [
        (name, _shown(iou), _shown(dice), _shown(accuracy))
        for name, iou, dice, accuracy in zip(classes, result.iou, result.dice, result.accuracy, strict=True)
    ]
    mean = f"mean of {result.averaged_classes}"
    return [*rows, (mean, _shown(result.mean_iou), _shown(result.mean_dice), "-")]


def score_record(result: Scores, classes: tuple[str, ...]) -> dict[str, object]:
    """Returns the scores as a JSON object; a class that is absent from truth and prediction is null.

    Args:
        result: the scores.
        classes: names, in the order of the scores.
    """
    return {
        "mean_iou": number(result.mean_iou),
        "mean_dice": number(result.mean_dice),
        "pixel_accuracy": number(result.pixel_accuracy),
        "averaged_classes": result.averaged_classes,
        "pixels": result.pixels,
        "classes": {
            name: {"iou": number(iou), "dice": number(dice), "accuracy": number(accuracy)}
            for name, iou, dice, accuracy in zip(classes, result.iou, result.dice, result.accuracy, strict=True)
        },
    }


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
