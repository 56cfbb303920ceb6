import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError, UsageError
from trainer.data.dataset import open_dataset
from trainer.data.exact_labels import Stray
from trainer.data.inspection import inspect_dataset


def test_inspect_dataset_sound_set_has_exact_shares_and_no_problem(pairs_folder: Path) -> None:
    report = inspect_dataset(open_dataset(pairs_folder))
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
    assert report.never_in_train() == ("construction", "object", "nature", "sky", "human")
    report.require_usable()


def test_inspect_dataset_every_damaged_file_is_named(pairs_folder: Path, pair_png: Callable[..., bytes]) -> None:
    train = pairs_folder / "inner" / "train"
    (train / "2.png").write_bytes(b"")
    (train / "11.png").write_bytes(pair_png(1)[:-5])
    (train / "12.jpg").write_bytes(b"GIF89a")
    (train / "notes.txt").write_bytes(b"x")
    report = inspect_dataset(open_dataset(pairs_folder))
    assert [(problem.kind, problem.file) for problem in report.problems] == [
        ("not a picture", "train/notes.txt"),
        ("unreadable", "train/2.png"),
        ("unreadable", "train/11.png"),
        ("unreadable", "train/12.jpg"),
    ]
    assert (report.splits[0].frames, report.splits[0].tried, report.splits[0].read) == (5, 5, 2)
    with pytest.raises(DataError, match=r"got 3 serious problems, the first: .*train/2\.png: .* 0 bytes"):
        report.require_usable()


def test_inspect_dataset_frames_seen_twice_are_found(pairs_folder: Path, pair_png: Callable[..., bytes]) -> None:
    (pairs_folder / "inner" / "val" / "9.png").write_bytes(pair_png(2))  # train has it
    (pairs_folder / "inner" / "train" / "99.png").write_bytes(pair_png(10))  # twice in train
    report = inspect_dataset(open_dataset(pairs_folder))
    assert [(problem.kind, problem.file) for problem in report.problems] == [
        ("duplicate", "train/99.png"),
        ("leak", "val/9.png"),
    ]
    assert "val/9.png: the same bytes as train/2.png" in report.problems[1].text
    assert [problem.serious for problem in report.problems] == [False, True]
    with pytest.raises(
        DataError, match=r"got 1 serious problem, the first: .*val/9\.png: the same bytes as train/2\.png"
    ):
        report.require_usable()


@pytest.mark.parametrize("split", ["train", "val"])
def test_inspect_dataset_missing_split_is_a_problem(pairs_folder: Path, split: str) -> None:
    (pairs_folder / "inner" / split).rename(pairs_folder / "inner" / "kept")
    report = inspect_dataset(open_dataset(pairs_folder))
    assert [problem.kind for problem in report.problems] == ["empty split"]
    with pytest.raises(DataError, match=f"no frame in the split '{split}'"):
        report.require_usable()


def test_inspect_dataset_limit_reads_that_many_of_each_split_spread_out(
    pairs_folder: Path, pair_png: Callable[..., bytes]
) -> None:
    for number in range(20, 29):
        (pairs_folder / "inner" / "train" / f"{number}.png").write_bytes(pair_png(number))
    (pairs_folder / "inner" / "train" / "23.png").write_bytes(b"")  # of 1, 2, 10, 20 .. 28, 1 and 23 are chosen
    (pairs_folder / "inner" / "train" / "24.png").write_bytes(b"")
    report = inspect_dataset(open_dataset(pairs_folder), limit=2)
    assert [(split.frames, split.tried, split.read) for split in report.splits] == [(12, 2, 1), (2, 2, 2)]
    assert [problem.file for problem in report.problems] == ["train/23.png"]
    assert inspect_dataset(open_dataset(pairs_folder), limit=100).splits[0].tried == 12


def test_inspect_dataset_limit_below_one_is_refused(pairs_folder: Path) -> None:
    with pytest.raises(UsageError, match="got 0"):
        inspect_dataset(open_dataset(pairs_folder), limit=0)


def test_data_report_to_json_survives_json(pairs_folder: Path) -> None:
    report = inspect_dataset(open_dataset(pairs_folder, "names"))
    record = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert record["label_space"] == "names"
    assert record["splits"][1] == {"name": "val", "frames": 2, "tried": 2, "read": 2, "sizes": {"24x24": 2}}
    assert len(record["classes"]) == 28


def test_inspect_dataset_real_pairs_sample_is_sound(real_pairs: Path) -> None:
    report = inspect_dataset(open_dataset(real_pairs, "cityscapes"), limit=20)
    assert report.problems == ()
    assert report.splits[0].sizes == {"256x256": 20}
    shares = {each.name: each.share for each in report.classes}
    assert max(shares, key=lambda name: shares[name]) == "road"
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.fixture
def camvid_folder(tmp_path: Path) -> Path:
    """Two train frames and one val frame of 12x8, all road, photos of noise."""
    for number, split in ((1, "train"), (2, "train"), (3, "val")):
        for folder in (split, f"{split}annot"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "set" / split / f"{number}.png")
        Image.fromarray(np.full((8, 12), 3, np.uint8)).save(tmp_path / "set" / f"{split}annot" / f"{number}.png")
    return tmp_path / "set"


def test_inspect_dataset_id_masks_have_exact_counts(camvid_folder: Path) -> None:
    report = inspect_dataset(open_dataset(camvid_folder))
    assert report.problems == ()
    assert (report.layout, report.label_space) == ("camvid", "camvid")
    assert report.splits[0].sizes == {"12x8": 2}
    road = report.classes[3]
    assert (road.name, road.pixels, road.share, road.frames, road.train_frames) == ("Road", 3 * 96, 1.0, 3, 2)


def test_inspect_dataset_bad_pixel_is_named_with_value_place_and_count(camvid_folder: Path) -> None:
    mask = np.full((8, 12), 3, np.uint8)
    mask[5, 10] = mask[6, 1] = 77
    mask[7, 11] = 40
    Image.fromarray(mask).save(camvid_folder / "trainannot" / "2.png")
    report = inspect_dataset(open_dataset(camvid_folder))
    found = [(each.kind, each.file, each.serious, each.stray) for each in report.problems]
    assert found == [
        ("label value", "trainannot/2.png", True, Stray(value=40, x=11, y=7, count=1)),
        ("label value", "trainannot/2.png", True, Stray(value=77, x=10, y=5, count=2)),
    ]
    with pytest.raises(
        DataError, match=r"set/trainannot/2\.png: value 40 at x 11, y 7 \(1 pixel\) belongs to no class"
    ):
        report.require_usable()
    record = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert record["problems"][1]["stray"] == {"value": 77, "x": 10, "y": 5, "count": 2}


def test_inspect_dataset_one_bad_pixel_in_a_thousand_masks_is_found(tmp_path: Path) -> None:
    good, bad = np.full((4, 4), 3, np.uint8), np.full((4, 4), 3, np.uint8)
    bad[2, 1] = 200
    for number in range(1000):
        for folder, pixels in (
            ("train", np.zeros((4, 4, 3), np.uint8)),
            ("trainannot", bad if number == 637 else good),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{number}.png").write_bytes(_png(pixels))
    report = inspect_dataset(open_dataset(tmp_path))
    assert [(each.file, each.stray) for each in report.problems if each.kind == "label value"] == [
        ("trainannot/637.png", Stray(value=200, x=1, y=2, count=1))
    ]


def test_inspect_dataset_photo_without_mask_is_serious_but_in_test(camvid_folder: Path) -> None:
    for split in ("val", "test"):
        (camvid_folder / split).mkdir(exist_ok=True)
        (camvid_folder / split / "9.png").write_bytes((camvid_folder / "train" / "1.png").read_bytes())
    report = inspect_dataset(open_dataset(camvid_folder))
    assert {(each.kind, each.file, each.serious) for each in report.problems} == {
        ("unmatched", "val/9.png", True),
        ("unmatched", "test/9.png", False),
    }


def test_inspect_dataset_mask_of_another_size_is_unreadable(camvid_folder: Path) -> None:
    (camvid_folder / "valannot" / "3.png").write_bytes(_png(np.full((8, 11), 3, np.uint8)))
    (problem,) = inspect_dataset(open_dataset(camvid_folder)).problems
    assert (problem.kind, problem.file, problem.serious) == ("unreadable", "val/3.png", True)
    assert "a mask of 12x8 as its photo" in problem.text


def test_inspect_dataset_frame_with_every_pixel_ignored_is_told(camvid_folder: Path) -> None:
    (camvid_folder / "trainannot" / "1.png").write_bytes(_png(np.full((8, 12), 11, np.uint8)))
    report = inspect_dataset(open_dataset(camvid_folder))
    assert [(each.kind, each.file, each.serious) for each in report.problems] == [("all ignored", "train/1.png", False)]
    report.require_usable()


@pytest.mark.parametrize(("size", "quality"), [((120, 80), 50), ((60, 40), 95), ((240, 160), 75)])
def test_inspect_dataset_copy_encoded_again_or_resized_is_a_leak(
    camvid_folder: Path, size: tuple[int, int], quality: int
) -> None:
    scene = Image.fromarray(np.random.default_rng(5).integers(0, 256, (8, 12, 3), dtype=np.uint8))
    scene = scene.resize((120, 80), Image.Resampling.BICUBIC)
    scene.save(camvid_folder / "train" / "4.png")
    scene.resize(size, Image.Resampling.LANCZOS).save(camvid_folder / "val" / "5.jpg", quality=quality)
    (camvid_folder / "trainannot" / "4.png").write_bytes(_png(np.full((80, 120), 3, np.uint8)))
    (camvid_folder / "valannot" / "5.png").write_bytes(_png(np.full(size[::-1], 3, np.uint8)))
    (problem,) = inspect_dataset(open_dataset(camvid_folder)).problems
    assert (problem.kind, problem.file, problem.serious) == ("leak", "val/5.jpg", True)
    assert "nearly the same photo as train/4.png: encoded again, resized" in problem.text


def test_inspect_dataset_same_photo_with_another_mask_is_a_leak(camvid_folder: Path) -> None:
    (camvid_folder / "val" / "3.png").write_bytes((camvid_folder / "train" / "2.png").read_bytes())
    (camvid_folder / "valannot" / "3.png").write_bytes(_png(np.zeros((8, 12), np.uint8)))
    (problem,) = inspect_dataset(open_dataset(camvid_folder)).problems
    assert (problem.kind, problem.file) == ("leak", "val/3.png")
    assert "the same bytes as train/2.png" in problem.text


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
