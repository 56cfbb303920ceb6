"""Pictures through a stub that answers with the first channel: what it was shown can be read off its labels."""

import numpy as np
import pytest

from benchmarks.labelling import label_each, picture_size
from runtime.camera import CameraSpec


def pictures(count, height_px=4, width_px=6):
    return [(f"p{level}", np.full((height_px, width_px, 3), level, np.uint8)) for level in range(1, count + 1)]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_label_each_answers_every_picture_once_and_in_order(stub_segmenter, batch, count):
    segmenter = stub_segmenter(batch=batch)
    answers = list(label_each(segmenter, pictures(count)))
    assert [key for key, _, _ in answers] == [f"p{level}" for level in range(1, count + 1)]
    assert [set(labels_hw.ravel()) for _, labels_hw, _ in answers] == [{level} for level in range(1, count + 1)]
    assert len(segmenter.seen) == -(-count // batch)


def test_label_each_fills_the_last_batch_with_its_last_frame(stub_segmenter):
    segmenter = stub_segmenter(batch=3)
    list(label_each(segmenter, pictures(4)))
    assert segmenter.seen[-1][:, 0, 0, 0].tolist() == [4, 4, 4]


def test_label_each_tells_of_each_picture_in_a_batch_whether_it_is_valid(stub_segmenter):
    night = np.full((4, 6, 3), 255, np.uint8)
    answers = list(label_each(stub_segmenter(batch=2), [*pictures(1), ("night", night)]))
    assert [(key, bool(valid)) for key, _, valid in answers] == [("p1", True), ("night", False)]


def test_label_each_resizes_pictures_for_a_file_without_a_camera(stub_segmenter):
    ((_, labels_hw, _),) = label_each(stub_segmenter(), pictures(1, 40, 60))
    assert labels_hw.shape == (4, 6)


def test_label_each_of_a_cropping_camera_labels_the_whole_picture(stub_segmenter):
    camera = CameraSpec(height_px=8, width_px=10, layout="bgr", crop=(2, 3, 6, 4))
    segmenter = stub_segmenter(camera=camera)
    image = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    ((_, labels_hw, _),) = label_each(segmenter, [("p", image)])
    np.testing.assert_array_equal(labels_hw, image[..., 2])  # bgr: the first channel is blue
    np.testing.assert_array_equal(segmenter.seen[0][3:7, 2:8], image[..., ::-1])
    assert picture_size(segmenter.spec) == (4, 6)


def test_picture_size_is_the_networks_without_a_camera_and_the_cameras_with_one(stub_segmenter):
    assert picture_size(stub_segmenter().spec) == (4, 6)
    camera = CameraSpec(height_px=80, width_px=100, resize="products")
    assert picture_size(stub_segmenter(camera=camera).spec) == (80, 100)
