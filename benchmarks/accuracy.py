"""Counts how well a model file does on a data set, at its labels' size, through the runtime that ships. No torch."""

import math

from benchmarks.labelling import label_each, picture_size
from benchmarks.sized_frames import sized_frames
from runtime.errors import DataError, SpecError
from runtime.metrics import Scores
from runtime.segmenter import Segmenter
from trainer.data.dataset import Dataset
from trainer.data.progress import track
from trainer.json_file import number
from trainer.tally import Tally

SCORE_COLUMNS = ("class", "IoU", "Dice", "accuracy")


def evaluate_file(segmenter: Segmenter, dataset: Dataset, split: str = "val") -> Tally:
    """Runs every frame of a split through the file and counts what it says.

    Images become what the file's camera would deliver (`as_camera_frame`), and truth comes to the size of the
    file's label map by a vote (`resize_labels`): counts are of pixels at that size.

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
    tally = Tally(len(spec.classes))
    frames = sized_frames(dataset, split, *picture_size(spec), spec.labels_shape)
    answers = label_each(segmenter, ((frame.labels_hw, frame.image_hwc) for frame in frames))
    for truth_hw, labels_hw, _ in track(answers, "evaluating", len(dataset.frames(split))):
        tally.add(truth_hw[None], labels_hw[None])
    return tally


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


def tally_record(tally: Tally, classes: tuple[str, ...]) -> dict[str, object]:
    """Returns scores and counts as a JSON object; a class that is absent from truth and prediction is null.

    Args:
        tally: what was counted.
        classes: names, in label order.
    """
    result = tally.scores()
    return {
        "mean_iou": number(result.mean_iou),
        "mean_dice": number(result.mean_dice),
        "pixel_accuracy": number(result.pixel_accuracy),
        "averaged_classes": result.averaged_classes,
        "pixels": result.pixels,
        "frames": tally.frames,
        "invalid_frames": tally.invalid_frames,
        "classes": {
            name: {"iou": number(iou), "dice": number(dice), "accuracy": number(accuracy)}
            for name, iou, dice, accuracy in zip(classes, result.iou, result.dice, result.accuracy, strict=True)
        },
        "confusion": {  # a row for each class of the truth; null, for any name might be a class's: no valid answer
            "truth": list(classes),
            "predicted": [*classes, None],
            "pixels": tally.confusion.tolist(),
        },
    }


def accuracy_record(tally: Tally, classes: tuple[str, ...], data: str, split: str) -> dict[str, object]:
    """Returns how right a file was in a few numbers: the mean IoU, and the class that is worst.

    Args:
        tally: what was counted.
        classes: names, in label order.
        data: name of the data set.
        split: of it.

    Raises:
        DataError: no pixel of the split is labelled.
    """
    iou = tally.scores().iou
    present = [(float(value), name) for name, value in zip(classes, iou, strict=True) if not math.isnan(value)]
    if not present:
        raise DataError(
            f"{data}: a split with labelled pixels was expected, {split!r} has none in {tally.frames} frames; "
            "give another split, or leave --data out"
        )
    worst_iou, worst_name = min(present)
    return {
        "data": data,
        "split": split,
        "frames": tally.frames,
        "mean_iou": number(tally.scores().mean_iou),
        "worst_class": {"name": worst_name, "iou": worst_iou},
    }


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
