import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import DataError, UsageError
from trainer.data.inspection import inspect_dataset


def test_inspect_dataset_sound_set_has_exact_shares_and_no_problem(pairs_folder: Path) -> None:
    report = inspect_dataset(pairs_folder)
    assert report.problems == ()
    assert [(split.name, split.frames, split.tried, split.read) for split in report.splits] == [
        ("train", 3, 3, 3),
        ("val", 2, 2, 2),
    ]
    assert report.splits[0].sizes == {"24x24": 3}
    by_name = {each.name: each for each in report.classes}
    assert (by_name["flat"].pixels, by_name["flat"].share, by_name["flat"].frames) == (5 * 8 * 24, 0.5, 5)
    assert (by_name["vehicle"].pixels, by_name["vehicle"].share) == (5 * 8 * 24, 0.5)
    assert (by_name["sky"].pixels, by_name["sky"].share, by_name["sky"].frames) == (0, 0.0, 0)
    assert report.ignored_share == pytest.approx(1 / 3)
    report.require_usable()


def test_inspect_dataset_every_damaged_file_is_named(pairs_folder: Path, pair_png: Callable[..., bytes]) -> None:
    train = pairs_folder / "inner" / "train"
    (train / "2.png").write_bytes(b"")
    (train / "11.png").write_bytes(pair_png(1)[:-5])
    (train / "12.jpg").write_bytes(b"GIF89a")
    (train / "notes.txt").write_bytes(b"x")
    report = inspect_dataset(pairs_folder)
    assert [(problem.kind, problem.file) for problem in report.problems] == [
        ("not a picture", "inner/train/notes.txt"),
        ("unreadable", "train/2.png"),
        ("unreadable", "train/11.png"),
        ("unreadable", "train/12.jpg"),
    ]
    assert (report.splits[0].frames, report.splits[0].tried, report.splits[0].read) == (5, 5, 2)
    with pytest.raises(DataError, match=r"got 3 that can't be used, the first of them: .*train/2\.png: .* 0 bytes"):
        report.require_usable()


def test_inspect_dataset_frames_seen_twice_are_found(pairs_folder: Path, pair_png: Callable[..., bytes]) -> None:
    (pairs_folder / "inner" / "val" / "9.png").write_bytes(pair_png(2))  # train has it
    (pairs_folder / "inner" / "train" / "99.png").write_bytes(pair_png(10))  # twice in train
    report = inspect_dataset(pairs_folder)
    assert [(problem.kind, problem.file) for problem in report.problems] == [
        ("duplicate", "train/99.png"),
        ("leak", "val/9.png"),
    ]
    assert "val/9.png: the same bytes as train/2.png" in report.problems[1].text
    report.require_usable()  # told, but no reason to refuse


@pytest.mark.parametrize("split", ["train", "val"])
def test_inspect_dataset_missing_split_is_a_problem(pairs_folder: Path, split: str) -> None:
    (pairs_folder / "inner" / split).rename(pairs_folder / "inner" / "kept")
    report = inspect_dataset(pairs_folder)
    assert [problem.kind for problem in report.problems] == ["empty split"]
    with pytest.raises(DataError, match=f"no picture in a folder '{split}'"):
        report.require_usable()


def test_inspect_dataset_limit_reads_that_many_of_each_split_spread_out(
    pairs_folder: Path, pair_png: Callable[..., bytes]
) -> None:
    for number in range(20, 29):
        (pairs_folder / "inner" / "train" / f"{number}.png").write_bytes(pair_png(number))
    (pairs_folder / "inner" / "train" / "23.png").write_bytes(b"")  # of 1, 2, 10, 20 .. 28, 1 and 23 are chosen
    (pairs_folder / "inner" / "train" / "24.png").write_bytes(b"")
    report = inspect_dataset(pairs_folder, limit=2)
    assert [(split.frames, split.tried, split.read) for split in report.splits] == [(12, 2, 1), (2, 2, 2)]
    assert [problem.file for problem in report.problems] == ["train/23.png"]
    assert inspect_dataset(pairs_folder, limit=100).splits[0].tried == 12


def test_inspect_dataset_limit_below_one_is_refused(pairs_folder: Path) -> None:
    with pytest.raises(UsageError, match="got 0"):
        inspect_dataset(pairs_folder, limit=0)


def test_data_report_to_json_survives_json(pairs_folder: Path) -> None:
    report = inspect_dataset(pairs_folder, "names")
    record = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert record["label_space"] == "names"
    assert record["splits"][1] == {"name": "val", "frames": 2, "tried": 2, "read": 2, "sizes": {"24x24": 2}}
    assert len(record["classes"]) == 28


def test_inspect_dataset_real_pairs_sample_is_sound(real_pairs: Path) -> None:
    report = inspect_dataset(real_pairs, "cityscapes", limit=20)
    assert report.problems == ()
    assert report.splits[0].sizes == {"256x256": 20}
    shares = {each.name: each.share for each in report.classes}
    assert max(shares, key=lambda name: shares[name]) == "road"
    assert sum(shares.values()) == pytest.approx(1.0)
