import json

import numpy as np
import pytest

from benchmarks.approval.comparison import compare
from benchmarks.approval.record import changed_rows, comparison_record, flicker_rows, iou_rows, recall_rows
from benchmarks.approval.verdict import Allowance
from benchmarks.approval.worst import worst_frames

ALLOWED = Allowance(min_pixels=10, min_frames=2)


@pytest.fixture
def compared(table_side, dataset_of, monkeypatch):
    """Sky and road in random places, no car; the new model takes one sky pixel of each frame for no answer."""
    monkeypatch.setattr("benchmarks.approval.comparison.with_sensor_noise", lambda image, _: image)
    frames = []
    for seed in range(4):
        truth = np.random.default_rng(seed).integers(0, 2, (10, 10))
        levels = 50 * truth
        levels.flat[np.flatnonzero(truth)[0]] = 51
        frames.append((levels, truth))
    old, new = (table_side({50: 1, 51: answer}, labels_px=(10, 10)) for answer in (1, 255))
    return compare(old, new, dataset_of(frames))


def test_comparison_record_is_json_that_says_what_was_found(compared) -> None:
    verdict, worst = compared.judged(ALLOWED), worst_frames(compared, ALLOWED, 2)
    record = comparison_record(compared, verdict, ALLOWED, worst, {"data": "DATA", "old": {}, "new": {}})
    record = json.loads(json.dumps(record, allow_nan=False))
    assert (record["schema_version"], record["kind"], record["frames"], record["data"]) == (1, "comparison", 4, "DATA")
    road, sky, car = record["classes"]
    assert (road["state"], sky["state"], car["state"]) == ("holds", "worse", "not proven")
    assert (car["iou"]["old"], car["iou"]["low"], car["pixels"]) == (None, None, 0)
    assert sky["iou"]["new"] == pytest.approx(1 - 4 / sky["pixels"])
    assert record["changed"] == {
        "pixels_with_truth": 400,
        "share": 0.01,
        "pixels": 4,
        "better": 0,
        "worse": 4,
        "neither": 0,
        "pairs": [{"from": "sky", "to": None, "pixels": 4, "better": 0, "worse": 4, "neither": 0}],
    }
    assert record["flicker"]["video"] is None
    assert (record["flicker"]["noise"]["old"], record["flicker"]["noise"]["repeats"]) == (0, 8)
    assert (len(record["worst_frames"]), record["worst_frames"][0]["class"]) == (2, "sky")
    assert record["failures"][0].startswith("sky: IoU fell by")
    assert record["not_proven"][0] == "car: is on none of the frames"


def test_rows_of_a_comparison_show_dashes_where_nothing_is_known(compared) -> None:
    verdict = compared.judged(ALLOWED)
    road, sky, car, mean = iou_rows(compared, verdict)
    assert road[3:] == ("1.0000", "1.0000", "+0.0000", "+0.0000 to +0.0000", "holds")
    assert sky[-1] == "worse"
    assert car == ("car", "0", "0", "-", "-", "-", "-", "not proven")
    assert mean[:3] == ("mean", "400", "4")
    assert recall_rows(compared, verdict)[2] == ("car", "-", "-", "-", "-", "not proven")
    assert changed_rows(compared) == [
        ("sky", "no answer", "1.000 %", "0.000 %", "1.000 %", "0.000 %"),
        ("all", "", "1.000 %", "0.000 %", "1.000 %", "0.000 %"),
    ]
    still, noisy = flicker_rows(compared)
    assert still[1:] == ("-", "-", "not measured: the split is no video")
    assert noisy[1:] == ("0.000 %", "0.000 %", "4 frames, 8 exposures each")
