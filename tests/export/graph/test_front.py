from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from export.graph.camera import plan_camera
from export.graph.deploy import Deploy
from export.graph.front import Front
from export.graph.trace import stage_names, trace, with_stages
from export.proof.camera_reference import reference_stages
from export.settings import ExportSettings
from runtime.camera import CameraSpec
from runtime.errors import UsageError
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise

NETWORK = (32, 48)
CROP = (5, 3, 81, 55)  # odd at all four ends
LAYOUTS = ["rgb", "bgr", "nv12", "uyvy"]


def camera(layout: str, crop=CROP, resize: str = "auto", size: tuple[int, int] = (64, 96)) -> CameraSpec:
    return plan_camera(
        network_height_px=NETWORK[0], network_width_px=NETWORK[1], height_px=size[0], width_px=size[1],
        layout=layout, crop=crop, resize=resize,
    )  # fmt: skip


def front(found: CameraSpec | None) -> Front:
    return Front(found, *NETWORK, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def frame(found: CameraSpec, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, found.frame_shape, dtype=np.uint8)


def normalised_by_hand(rgb_hwc: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((rgb_hwc / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)).transpose(2, 0, 1)


def test_front_without_a_camera_is_normalise() -> None:
    image = torch.randint(0, 256, (2, *NETWORK, 3), dtype=torch.uint8)
    stages = front(None)(image)
    assert list(stages) == ["normalised"]
    assert torch.equal(stages["normalised"], Normalise()(image))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("resize", "crop"), [("products", CROP), ("resize-node", None)])
def test_front_in_onnx_agrees_with_the_reference_at_every_stage(layout: str, resize: str, crop, run: Callable) -> None:
    found = camera(layout, crop, resize)
    module = Deploy(nn.Conv2d(3, 2, 1), ExportSettings(camera=found), *NETWORK, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    model = trace(module)
    names = stage_names(model)
    assert names == (*(["colour"] if layout in ("nv12", "uyvy") else []), "resized", "normalised", "logits")
    image = frame(found)
    stages = dict(zip(names, run(with_stages(model, names), image[None], *names), strict=True))
    reference = reference_stages(image, found, *NETWORK)
    if "colour" in names:
        np.testing.assert_allclose(stages["colour"][0], reference["colour"], rtol=0, atol=1e-3)
    resized = reference["resized"]
    # ONNX Runtime's own antialiased Resize computes its weights in float32, and less exactly
    np.testing.assert_allclose(
        stages["resized"][0].transpose(1, 2, 0), resized, rtol=0, atol=1e-3 if resize == "products" else 0.02
    )
    np.testing.assert_allclose(
        stages["normalised"][0], normalised_by_hand(resized), rtol=0, atol=1e-4 if resize == "products" else 5e-4
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_front_crop_of_the_networks_size_is_not_resized(layout: str) -> None:
    found = camera(layout, (7, 1, NETWORK[1], NETWORK[0]))
    stages = front(found)(torch.from_numpy(frame(found))[None])
    assert "resized" not in stages
    expected = normalised_by_hand(reference_stages(frame(found), found, *NETWORK)["resized"])
    np.testing.assert_allclose(stages["normalised"][0].numpy(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_front_of_a_batch_is_that_of_each_frame(layout: str) -> None:
    found = camera(layout)
    frames = torch.from_numpy(np.stack([frame(found, seed) for seed in range(3)]))
    together = front(found)(frames)["normalised"]
    for index in range(3):
        alone = front(found)(frames[index : index + 1])["normalised"]
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-4)


def test_front_channels_in_the_wrong_order_are_seen() -> None:
    found = camera("bgr")
    swapped = front(camera("rgb"))(torch.from_numpy(frame(found))[None])["resized"][0].permute(1, 2, 0).numpy()
    assert np.abs(swapped - reference_stages(frame(found), found, *NETWORK)["resized"]).max() > 50


def test_front_camera_of_another_size_that_is_not_resized_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a resize for 96x64 to the network's 48x32, got resize 'none'"):
        front(CameraSpec(height_px=64, width_px=96))
