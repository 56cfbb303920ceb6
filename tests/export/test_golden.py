"""The frames for the self-test: what they show, and that they are as the camera of the file would deliver them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.golden import AGREEMENT, golden_frames
from runtime.camera import CameraSpec
from runtime.errors import DataError
from runtime.spec import ModelSpec
from trainer.data.dataset import open_dataset

SPEC = ModelSpec(
    label_space="categories",
    classes=("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
    palette=tuple((label, label, label) for label in range(7)),
    height_px=64,
    width_px=64,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    precision="fp32",
    training={},
    producer={},
)
NV12 = CameraSpec(
    height_px=48,
    width_px=96,
    layout="nv12",
    yuv_matrix="bt601",
    yuv_range="full",
    crop=(3, 1, 80, 40),
    resize="products",
)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, height_px=16, width_px=24),  # smaller than a scene can be
        replace(SPEC, height_px=1056, width_px=32),  # larger than one can be
        replace(SPEC, camera=NV12, labels_at="camera", batch=2),
    ],
    ids=["plain", "tiny", "tall", "nv12"],
)
def test_golden_frames_are_two_scenes_as_the_camera_delivers_them(spec: ModelSpec) -> None:
    frames, source = golden_frames(spec, None)
    assert [(frame.shape, frame.dtype) for frame in frames] == [(spec.frame_shape, np.uint8)] * 2
    assert source == "synthetic scenes"
    assert not np.array_equal(*frames)
    assert all(frame.std() > 10 for frame in frames)  # a scene, not one colour


def test_golden_frames_are_the_same_each_time() -> None:
    assert [frame.tobytes() for frame in golden_frames(SPEC, None)[0]] == [
        frame.tobytes() for frame in golden_frames(SPEC, None)[0]
    ]


def test_golden_frames_of_a_data_set_are_its_first_and_last_without_its_path(pairs: Path) -> None:
    frames, source = golden_frames(SPEC, pairs)
    assert source == pairs.name
    data = open_dataset(pairs)
    for frame, index in zip(frames, (0, 3), strict=True):
        np.testing.assert_array_equal(frame, data.read("val", index).image_hwc)


def test_golden_frames_of_a_data_set_with_one_frame_are_refused(pairs: Path, tmp_path: Path) -> None:
    few = shutil.copytree(pairs, tmp_path / "few")
    for number in (2, 3, 4):
        (few / "val" / f"{number}.jpg").unlink()
    with pytest.raises(DataError, match=r"few: --golden needs 2 validation frames, found 1; give a data set"):
        golden_frames(SPEC, few)


def test_agreement_asks_most_of_the_processor_that_exported() -> None:
    assert 0.99 < AGREEMENT["*"] < AGREEMENT["cpu"] < 1
    assert replace(SPEC, golden={"frames": 2, "source": "x", "agreement": dict(AGREEMENT)}).golden is not None
