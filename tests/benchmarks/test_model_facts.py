"""What a record says of a model file."""

import pytest

from benchmarks.model_facts import model_facts, model_rows, network_name
from runtime.camera import CameraSpec


@pytest.fixture
def facts_of(stub_segmenter, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x" * 2_000_000)
    return lambda **spec: model_facts(stub_segmenter(**spec).spec, file, "ab" * 32)


def test_model_facts_are_the_files(facts_of):
    training = {"config": {"network": {"name": "unet", "width": 16, "depth": 4}}}
    assert facts_of(training=training) == {
        "file": "model.onnx",
        "sha256": "ab" * 32,
        "bytes": 2_000_000,
        "network": "unet 16",
        "precision": "fp32",
        "width_px": 6,
        "height_px": 4,
        "classes": 7,
        "batch": 1,
        "camera": None,
        "labels_width_px": 6,
        "labels_height_px": 4,
        "confidence": False,
    }


@pytest.mark.parametrize(
    ("training", "name"),
    [({}, None), ({"config": {"network": {"name": "unet-fast"}}}, "unet-fast"), ({"config": {}}, None)],
)
def test_network_name_is_none_where_the_file_does_not_say(training, name):
    assert network_name(training) == name


def test_model_rows_show_sizes_as_width_by_height(facts_of):
    rows = dict(model_rows(facts_of()))
    assert rows == {"file": "model.onnx, 2.00 MB, sha256 abababababababab", "network": "6x4, 7 classes, fp32"}


def test_model_rows_of_a_camera_file_for_batches_say_what_is_timed(facts_of):
    yuv = {"yuv_matrix": "bt709", "yuv_range": "limited"}
    camera = CameraSpec(height_px=10, width_px=12, layout="nv12", crop=(0, 2, 12, 8), resize="products", **yuv)
    facts = facts_of(camera=camera, labels_at="camera", confidence={"temperature": 1.0}, batch=6)
    assert facts["camera"]["crop"] == (0, 2, 12, 8)
    rows = dict(model_rows(facts))
    assert rows["camera"] == "12x10 nv12, crop 12x8 at 0,2, resize products, labels and confidence at 12x8"
    assert rows["times"] == "of a call with 6 frames"
