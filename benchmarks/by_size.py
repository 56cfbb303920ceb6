"""How a network does on small, medium and large objects of each class, frame by frame on one data set. No torch."""

import numpy as np

from benchmarks.ahead import ahead
from benchmarks.object_size import SIZE_LIMITS, SIZE_NAMES, SizeScores, count_by_size, scores_by_size
from benchmarks.sized_frames import Predict, sized_frames
from trainer.data.dataset import Dataset
from trainer.data.progress import track
from trainer.json_file import number

BY_SIZE_COLUMNS = ("class", *(f"{name} {what}" for name in SIZE_NAMES for what in ("objects", "recall", "IoU")))


def measure_by_size(
    predict: Predict,
    dataset: Dataset,
    height_px: int,
    width_px: int,
    split: str = "val",
    labels_px: tuple[int, int] | None = None,
) -> SizeScores:
    """Scores every frame of a split at one size; sizes are shares of the frame, see `object_size`.

    Args:
        predict: labels one frame of that size.
        dataset: opened with the network's label space.
        height_px: of the frames.
        width_px: of the frames.
        split: which part of the data set.
        labels_px: height and width of the label maps; the frames' where None.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """
    class_count = len(dataset.label_space.classes)
    counts = np.zeros((len(SIZE_LIMITS) + 1, class_count, 4), np.int64)
    frames = ahead(sized_frames(dataset, split, height_px, width_px, labels_px))
    for frame in track(frames, "measuring by size", len(dataset.frames(split))):
        predicted_hw = predict(frame.image_hwc)
        counts += count_by_size(frame.labels_hw[np.newaxis], predicted_hw[np.newaxis], class_count)
    return scores_by_size(counts)


def by_size_rows(result: SizeScores, classes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Returns table rows under `BY_SIZE_COLUMNS`, one a class; "-" where there is nothing of that size."""
    return [
        (
            name,
            *(
                text
                for size in range(len(SIZE_NAMES))
                for text in (
                    f"{result.objects[size, label]:,}",
                    _shown(float(result.recall[size, label])),
                    _shown(float(result.iou[size, label])),
                )
            ),
        )
        for label, name in enumerate(classes)
    ]


def by_size_record(result: SizeScores, classes: tuple[str, ...]) -> list[dict[str, object]]:
    """Returns the scores as JSON objects, one a size and class; what does not occur is null."""
    return [
        {
            "size": size_name,
            "class": name,
            "objects": int(result.objects[size, label]),
            "pixels": int(result.pixels[size, label]),
            "recall": number(float(result.recall[size, label])),
            "iou": number(float(result.iou[size, label])),
        }
        for size, size_name in enumerate(SIZE_NAMES)
        for label, name in enumerate(classes)
    ]


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"
