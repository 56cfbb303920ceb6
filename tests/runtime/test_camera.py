import dataclasses
import json

import pytest

from runtime.camera import CameraSpec
from runtime.errors import SpecError
from runtime.spec import ModelSpec

YUV = {"yuv_matrix": "bt709", "yuv_range": "limited"}


def camera(**changes: object) -> CameraSpec:
    return CameraSpec(**({"height_px": 1208, "width_px": 1920} | changes))


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (1208, 1920, 3)),
        ({"layout": "bgr"}, (1208, 1920, 3)),
        ({"layout": "uyvy", **YUV}, (1208, 1920, 2)),
        ({"layout": "nv12", **YUV}, (1812, 1920)),  # 1.5 bytes a pixel
        ({"layout": "uyvy", "height_px": 7, "width_px": 2, **YUV}, (7, 2, 2)),
    ],
)
def test_frame_shape_is_that_of_the_layout(changes: dict, shape: tuple[int, ...]) -> None:
    assert camera(**changes).frame_shape == shape


def test_seen_shape_is_the_frame_or_its_crop() -> None:
    assert camera().seen_shape == (1208, 1920)
    assert camera(crop=(0, 104, 1920, 1000)).seen_shape == (1000, 1920)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"height_px": 0}, "height_px to be 1 to 16384, got 0"),
        ({"width_px": 1920.0}, "width_px to be 1 to 16384, got 1920.0"),
        ({"width_px": True}, "width_px to be 1 to 16384, got True"),
        ({"layout": "yuyv"}, "layout to be rgb or bgr or nv12 or uyvy, got 'yuyv'"),
        ({"layout": ["rgb"]}, r"layout to be .*, got \['rgb'\]"),
        ({"layout": "uyvy", "width_px": 1921, **YUV}, "width_px to be an even number for uyvy, got 1921"),
        ({"layout": "nv12", "height_px": 1207, **YUV}, "height_px to be an even number for nv12, got 1207"),
        ({"layout": "nv12"}, "yuv_matrix to be bt601 or bt709, got None"),
        ({"layout": "nv12", **YUV, "yuv_range": "tv"}, "yuv_range to be limited or full, got 'tv'"),
        ({"yuv_matrix": "bt601"}, "yuv_matrix to be None for rgb, got 'bt601'"),
        ({"layout": "bgr", "yuv_range": "full"}, "yuv_range to be None for bgr, got 'full'"),
        ({"crop": (0, 0, 1921, 10)}, r"crop to be a part of the frame of 1920x1208, got \[0, 0, 1921, 10\]"),
        ({"crop": (0, 1200, 10, 9)}, r"crop to be a part of .*, got \[0, 1200, 10, 9\]"),
        ({"crop": (-1, 0, 10, 10)}, r"crop to be a part of .*, got \[-1, 0, 10, 10\]"),
        ({"crop": (0, 0, 0, 10)}, r"crop to be a part of .*, got \[0, 0, 0, 10\]"),
        ({"crop": (0, 0, 10)}, r"crop to be x, y, width and height, got \(0, 0, 10\)"),
        ({"crop": (0, 0, 10, 1.5)}, "crop to be x, y, width and height, got"),
        ({"crop": "all"}, "crop to be x, y, width and height, got 'all'"),
        ({"resize": "bilinear"}, "resize to be none or products or resize-node, got 'bilinear'"),
    ],
)
def test_camera_of_no_sense_is_refused_by_name(changes: dict, problem: str) -> None:
    with pytest.raises(SpecError, match=f"camera: expected {problem}"):
        camera(**changes)


@pytest.mark.parametrize("changes", [{}, {"layout": "nv12", **YUV, "crop": (2, 4, 1000, 500)}, {"resize": "products"}])
def test_from_document_of_its_json_is_the_same_camera(changes: dict) -> None:
    document = json.loads(json.dumps(dataclasses.asdict(camera(**changes))))
    assert CameraSpec.from_document(document) == camera(**changes)


@pytest.mark.parametrize(
    "document",
    [
        [],
        "nv12",
        7,
        {},
        {**dataclasses.asdict(camera()), "fps": 30},
        {name: value for name, value in dataclasses.asdict(camera()).items() if name != "crop"},
    ],
)
def test_from_document_of_something_else_is_refused(document: object) -> None:
    with pytest.raises(SpecError, match=r"expected camera with the fields .*'crop', .* got .*export it again"):
        CameraSpec.from_document(document)


def test_camera_is_frozen_and_hashable() -> None:
    assert hash(camera(crop=(0, 0, 2, 2))) == hash(camera(crop=(0, 0, 2, 2)))
    with pytest.raises(dataclasses.FrozenInstanceError, match="layout"):
        camera().layout = "bgr"


def test_spec_with_a_camera_reads_back_the_same_and_describes_the_door(make_spec) -> None:
    seen = camera(layout="nv12", **YUV, crop=(0, 100, 1920, 1008), resize="products")
    golden = {"frames": 2, "source": "synthetic scenes", "agreement": {"cpu": 0.999, "*": 0.99}}
    changes = {"golden": golden, "confidence": {"temperature": 1.3}, "numerics": {"kept": ["conv"]}, "batch": 6}
    spec = make_spec(camera=seen, labels_at="camera", labels_from="labels", **changes)
    assert ModelSpec.from_json(spec.to_json(), "file.onnx") == spec
    assert (spec.layout, spec.frame_shape, spec.labels_shape) == ("nv12", (1812, 1920), (1008, 1920))
    assert dataclasses.replace(spec, labels_at="network").labels_shape == (24, 32)
    assert (make_spec().layout, make_spec().frame_shape, make_spec().labels_shape) == ("rgb", (24, 32, 3), (24, 32))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"camera": []}, "expected camera with the fields"),
        ({"camera": {"width_px": 9}}, "expected camera with the fields"),
        ({"camera": dataclasses.asdict(camera(layout="bgr")) | {"layout": "gbr"}}, "layout to be rgb or"),
        (
            {"camera": dataclasses.asdict(camera())},
            "camera.resize to say how 1920x1208 become 32x24, got 'none'",
        ),
        ({"golden": []}, r"golden to be a JSON object, got \[\]"),
        ({"golden": {}}, "golden.frames to be 1 to 16, got None"),
        ({"golden": {"frames": 17}}, "golden.frames to be 1 to 16, got 17"),
        ({"golden": {"frames": True}}, "golden.frames to be 1 to 16, got True"),
        ({"golden": {"frames": 2, "source": 3}}, "golden.source to be text, got 3"),
        ({"golden": {"frames": 2, "source": "x", "agreement": 0.9}}, r"shares over 0 up to 1, .*, got 0\.9"),
        ({"golden": {"frames": 2, "source": "x", "agreement": {"cpu": 1}}}, r"by provider and '\*', got \{'cpu': 1\}"),
        ({"golden": {"frames": 2, "source": "x", "agreement": {"*": 1.5}}}, r"shares over 0 .*, got \{'\*': 1\.5\}"),
        ({"golden": {"frames": 2, "source": "x", "agreement": {"*": 1, "cpu": "1"}}}, "shares over 0 up to 1"),
        ({"golden": {"frames": 2, "source": "x", "agreement": {"*": True}}}, "shares over 0 up to 1"),
    ],
)
def test_spec_with_hostile_camera_or_golden_frames_is_refused(make_spec, changes: dict, problem: str) -> None:
    document = json.loads(make_spec().to_json()) | changes
    with pytest.raises(SpecError, match=rf"file\.onnx: .*{problem}"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_spec_whose_camera_is_no_camera_is_refused_where_it_is_made(make_spec) -> None:
    with pytest.raises(SpecError, match="expected camera to be a CameraSpec, got 'nv12'"):
        make_spec(camera="nv12")
