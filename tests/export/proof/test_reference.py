"""The reference's own answers against scipy, Pillow and the trainer's evaluation."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, special

from export.describe import describe
from export.proof.reference import Reference, nearest
from export.settings import ExportSettings
from runtime.camera import CameraSpec
from runtime.errors import ModelFileError
from runtime.spec import ModelSpec
from trainer.data.augment import fit
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork, frame_labels
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

CAMERA = CameraSpec(height_px=80, width_px=120, resize="products")


def spec_of(trained: TrainedNetwork, temperature: object = 2.0, **settings: Any) -> ModelSpec:
    asked = ExportSettings(confidence=True, **settings)
    return describe(trained, "run", asked, opset=18, confidence={"temperature": temperature})


def enlarged(logits_chw: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = (np.arange(height) + 0.5) * logits_chw.shape[1] / height - 0.5
    columns = (np.arange(width) + 0.5) * logits_chw.shape[2] / width - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([ndimage.map_coordinates(plane, places, order=1, mode="nearest") for plane in logits_chw])


def test_reference_plain_frame_answers_as_the_trainers_evaluation(trained: TrainedNetwork, unseen: list[Frame]) -> None:
    reference, predict = Reference(trained, spec_of(trained)), frame_labels(trained)
    for frame in unseen[:3]:
        small, answer = fit(frame, 64, 64), reference(frame)
        assert np.array_equal(answer.image, small.image_hwc)
        assert np.array_equal(answer.truth_hw, small.labels_hw)
        assert np.array_equal(answer.labels_hw, predict(small.image_hwc))
        pixels = small.image_hwc.astype(np.float64)
        for channel in range(3):
            expected = (pixels[..., channel] / 255 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
            np.testing.assert_allclose(answer.stages["normalised"][channel], expected, rtol=1e-12)
        softmax = special.softmax(answer.stages["logits"] / 2.0, axis=0).max(axis=0)
        np.testing.assert_allclose(answer.confidence_hw, 255 * softmax, rtol=1e-12)


def test_reference_camera_labels_from_logits_are_scipys_bilinear(trained: TrainedNetwork, unseen: list[Frame]) -> None:
    spec = spec_of(trained, camera=CAMERA, labels_at="camera", labels_from="logits")
    answer = Reference(trained, spec)(unseen[0])
    assert answer.image.shape == (80, 120, 3)
    assert answer.truth_hw.shape == answer.margin_hw.shape == (80, 120)
    logits = enlarged(answer.stages["logits"], 80, 120)
    assert (answer.labels_hw == logits.argmax(0)).mean() > 0.9999
    softmax = special.softmax(logits / 2.0, axis=0).max(axis=0)
    np.testing.assert_allclose(answer.confidence_hw, 255 * softmax, atol=1e-9)


def test_reference_camera_labels_from_labels_are_pillows_nearest(trained: TrainedNetwork, unseen: list[Frame]) -> None:
    camera = CameraSpec(height_px=128, width_px=192, resize="products")  # no centre falls between two pixels
    answer = Reference(trained, spec_of(trained, camera=camera, labels_at="camera", labels_from="labels"))(unseen[0])
    small = Reference(trained, spec_of(trained, camera=camera))(unseen[0])
    expected = Image.fromarray(small.labels_hw).resize((192, 128), Image.Resampling.NEAREST)
    assert np.array_equal(answer.labels_hw, np.array(expected))
    margins = Image.fromarray(small.margin_hw).resize((192, 128), Image.Resampling.NEAREST)
    assert np.array_equal(answer.margin_hw, np.array(margins))


def test_nearest_places_are_exact_also_where_a_centre_falls_between_two_pixels() -> None:
    for size, new in ((64, 80), (64, 120), (7, 31), (31, 7), (128, 350)):
        assert nearest(size, new).tolist() == [int(Fraction((2 * place + 1) * size, 2 * new)) for place in range(new)]


def test_reference_logit_that_is_not_finite_gives_255_and_no_confidence(
    train: Callable[..., TrainedNetwork], unseen: list[Frame]
) -> None:
    broken = train(steps=1)
    broken.network.head.bias.data[2] = np.inf
    answer = Reference(broken, spec_of(broken))(unseen[0])
    assert (answer.labels_hw == 255).all()
    assert (answer.confidence_hw == 0).all()
    assert np.isnan(answer.margin_hw).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mean": (0.5, 0.5, 0.5)}, r"the run's mean 0.485, 0.456, 0.406, got 0.5, 0.5, 0.5"),
        ({"std": (0.2, 0.2, 0.2)}, r"the run's std .* got 0.2, 0.2, 0.2"),
        ({"width_px": 128}, r"the run's size 64, 64, got 128, 64"),
    ],
)
def test_reference_spec_of_another_run_is_refused(trained: TrainedNetwork, change: dict, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        Reference(trained, replace(spec_of(trained), **change))
