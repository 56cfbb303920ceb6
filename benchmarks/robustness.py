"""How a network's mean IoU holds in other light and behind a worse lens, frame by frame on one data set. No torch."""

import numpy as np

from benchmarks.ahead import ahead
from benchmarks.sized_frames import Predict, sized_frames
from runtime.metrics import Scores, confusion_matrix, scores
from trainer.data.dataset import Dataset
from trainer.data.light import Light, relight
from trainer.data.progress import track
from trainer.json_file import number

BRIGHTNESS = (0.25, 0.5, 0.75, 1.5, 2.0)
GAMMA = (0.5, 2.0)
BLUR_PX = (1.0, 2.0, 3.0)

AS_IT_IS = ("as it is", 1.0)
CONDITIONS: dict[tuple[str, float], Light] = {
    AS_IT_IS: Light(),
    **{("brightness", factor): Light(brightness=factor) for factor in BRIGHTNESS},
    **{("gamma", exponent): Light(gamma=exponent) for exponent in GAMMA},
    **{("blur px", radius): Light(blur_px=radius) for radius in BLUR_PX},
}
ROBUSTNESS_COLUMNS = ("condition", "value", "mean IoU", "points")


def measure_robustness(
    predict: Predict,
    dataset: Dataset,
    height_px: int,
    width_px: int,
    split: str = "val",
    labels_px: tuple[int, int] | None = None,
) -> dict[tuple[str, float], Scores]:
    """Scores every frame of a split under every condition, at one size; blur is in pixels of that size.

    Args:
        predict: labels one frame of that size.
        dataset: opened with the network's label space.
        height_px: of the frames.
        width_px: of the frames.
        split: which part of the data set.
        labels_px: height and width of the label maps; the frames' where None.

    Returns:
        Scores by (kind of condition, its value), `AS_IT_IS` among them.

    Raises:
        DataError: the split is absent or empty, or a frame is not readable.
    """
    class_count = len(dataset.label_space.classes)
    confusions = {condition: np.zeros((class_count, class_count + 1), np.int64) for condition in CONDITIONS}
    frames = ahead(sized_frames(dataset, split, height_px, width_px, labels_px))
    for frame in track(frames, "measuring robustness", len(dataset.frames(split))):
        for condition, light in CONDITIONS.items():
            predicted = predict(np.ascontiguousarray(relight(frame.image_hwc, light)))
            confusions[condition] += confusion_matrix(frame.labels_hw, predicted, class_count)
    return {condition: scores(confusion) for condition, confusion in confusions.items()}


def robustness_rows(results: dict[tuple[str, float], Scores]) -> list[tuple[str, str, str, str]]:
    """Returns table rows under `ROBUSTNESS_COLUMNS`; points are hundredths of IoU more than as it is."""
    usual = results[AS_IT_IS].mean_iou
    return [
        (
            kind,
            "" if (kind, value) == AS_IT_IS else f"{value:g}",
            f"{result.mean_iou:.4f}",
            f"{100 * (result.mean_iou - usual):+.2f}",
        )
        for (kind, value), result in results.items()
    ]


def robustness_record(results: dict[tuple[str, float], Scores], classes: tuple[str, ...]) -> list[dict[str, object]]:
    """Returns the scores as JSON objects, one a condition; a class that is absent is null."""
    return [
        {
            "condition": kind,
            "value": value,
            "mean_iou": number(result.mean_iou),
            "iou": {name: number(iou) for name, iou in zip(classes, result.iou, strict=True)},
        }
        for (kind, value), result in results.items()
    ]
