"""Robustness of a labeller made of one threshold, on frames whose levels are known."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.robustness import (
    AS_IT_IS,
    CONDITIONS,
    ROBUSTNESS_COLUMNS,
    measure_robustness,
    robustness_record,
    robustness_rows,
)
from runtime.errors import DataError
from trainer.data.dataset import Dataset, open_dataset

SIZE_PX = 32


@pytest.fixture
def halves(tmp_path: Path) -> Dataset:
    """One frame a split: dark road (level 40) left, bright building (level 120) right."""
    photo = np.full((SIZE_PX, SIZE_PX, 3), 40, np.uint8)
    mask = np.empty_like(photo)
    mask[:] = (128, 64, 128)
    photo[:, SIZE_PX // 2 :], mask[:, SIZE_PX // 2 :] = 120, (70, 70, 70)
    stream = io.BytesIO()
    Image.fromarray(np.hstack([photo, mask])).save(stream, format="PNG")
    with zipfile.ZipFile(tmp_path / "halves.zip", "w") as archive:
        for split in ("train", "val"):
            archive.writestr(f"{split}/1.png", stream.getvalue())
    return open_dataset(tmp_path / "halves.zip", "categories")


def brighter_than_80(image_hwc: np.ndarray) -> np.ndarray:
    """Building where a pixel's first channel is above 80, else road."""
    return (image_hwc[..., 0] > 80).astype(np.uint8)


def test_measure_robustness_of_a_threshold_worked_out_by_hand(halves: Dataset) -> None:
    results = measure_robustness(brighter_than_80, halves, SIZE_PX, SIZE_PX)
    assert results.keys() == CONDITIONS.keys()
    assert results[AS_IT_IS].mean_iou == 1.0
    # 40 and 120: a quarter of it, 10 and 30, is all road; at 1.5, 60 and 180, and at 2, 80 and 240, both stay right
    assert results["brightness", 0.25].iou[:2].tolist() == [0.5, 0.0]
    assert results["brightness", 1.5].mean_iou == 1.0
    assert results["brightness", 2.0].mean_iou == 1.0
    # gamma 0.5: 101 and 175 are all building; gamma 2: 6 and 56 all road
    assert results["gamma", 0.5].iou[:2].tolist() == [0.0, 0.5]
    assert results["gamma", 2.0].iou[:2].tolist() == [0.5, 0.0]
    assert results["blur px", 3.0].mean_iou > 0.9  # the border stays where it was


def test_robustness_rows_and_record_say_the_same(halves: Dataset) -> None:
    results = measure_robustness(brighter_than_80, halves, SIZE_PX, SIZE_PX)
    rows = robustness_rows(results)
    assert rows[0] == ("as it is", "", "1.0000", "+0.00")
    assert ("brightness", "0.25", "0.2500", "-75.00") in rows
    assert {len(row) for row in rows} == {len(ROBUSTNESS_COLUMNS)}
    record = robustness_record(results, tuple(halves.label_space.classes))
    quarter = next(each for each in record if (each["condition"], each["value"]) == ("brightness", 0.25))
    assert quarter["mean_iou"] == 0.25
    assert (quarter["iou"]["flat"], quarter["iou"]["sky"]) == (0.5, None)


def test_measure_robustness_of_an_absent_split_is_an_error(halves: Dataset) -> None:
    with pytest.raises(DataError, match="'test'"):
        measure_robustness(brighter_than_80, halves, SIZE_PX, SIZE_PX, "test")
