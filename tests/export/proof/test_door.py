from dataclasses import replace
from pathlib import Path

import pytest

from export.proof.door import differences, require_same_door, settings_like
from runtime.camera import CameraSpec
from runtime.errors import DataError
from runtime.spec import ModelSpec

NV12 = CameraSpec(
    height_px=16,
    width_px=32,
    layout="nv12",
    yuv_matrix="bt709",
    yuv_range="limited",
    crop=(0, 4, 32, 8),
    resize="products",
)


def make_spec(**changes: object) -> ModelSpec:
    facts = {
        "label_space": "three",
        "classes": ("road", "sky", "car"),
        "palette": ((128, 64, 128), (70, 130, 180), (0, 0, 142)),
        "height_px": 6,
        "width_px": 8,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "precision": "fp32",
        "training": {"run": "street"},
        "producer": {"segtool": "0"},
    }
    return ModelSpec(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"precision": "int8", "mean": (0.5, 0.5, 0.5), "confidence": {"temperature": 1.2}, "batch": 4}, None),
        ({"classes": ("road", "car", "sky")}, "classes road, sky, car, the file has road, car, sky"),
        ({"height_px": 12}, "network size 8x6, the file has 8x12"),
        ({"camera": NV12}, "layout rgb, the file has nv12"),
        ({"camera": CameraSpec(height_px=12, width_px=16, resize="products")}, "frame 8x6, the file has 16x12"),
    ],
)
def test_differences_names_what_the_door_has_otherwise(changes, expected):
    found = differences(make_spec(**changes), make_spec())
    assert found == () if expected is None else expected in found


@pytest.mark.parametrize(
    ("camera", "labels", "expected"),
    [
        ({"yuv_matrix": "bt601"}, {}, "YUV matrix bt709, the file has bt601"),
        ({"yuv_range": "full"}, {}, "YUV range limited, the file has full"),
        ({"crop": (0, 8, 32, 8)}, {}, "crop (0, 4, 32, 8), the file has (0, 8, 32, 8)"),
        ({}, {"labels_at": "network"}, "label map 32x8, the file has 8x6"),
        ({}, {"labels_from": "logits"}, "labels enlarged from labels, the file has logits"),
        ({"resize": "resize-node"}, {}, None),
    ],
)
def test_differences_of_cameras_are_named(camera, labels, expected):
    pack = make_spec(camera=NV12, labels_at="camera")
    found = differences(replace(pack, camera=replace(NV12, **camera), **labels), pack)
    assert found == () if expected is None else expected in found


def test_require_same_door_refuses_another_and_says_how_to_make_one():
    file, pack = Path("model.onnx"), Path("PACK.zip")
    require_same_door(make_spec(precision="fp16"), make_spec(), file, pack)
    with pytest.raises(DataError, match=r"PACK\.zip: .* network size 8x6, the file has 16x6; .*--for model\.onnx"):
        require_same_door(make_spec(width_px=16), make_spec(), file, pack)


def test_settings_like_a_file_give_its_door_and_leave_out_what_it_does_not_use():
    found = settings_like(make_spec(camera=NV12, labels_at="camera", labels_from="logits", batch=3))
    assert (found.camera, found.labels_at, found.labels_from, found.batch) == (NV12, "camera", "logits", 3)
    assert settings_like(make_spec(labels_from="logits")).labels_from == "labels"  # nothing is enlarged there
