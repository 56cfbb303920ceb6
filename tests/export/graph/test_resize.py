from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from export.graph.camera import plan_camera
from export.graph.deploy import Deploy
from export.graph.resize import Products, triangle_weights
from export.graph.trace import trace, with_stages
from export.settings import ExportSettings
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

LEVEL = 1.0  # Pillow rounds after each direction, the graph never
SIZES = [
    ((120, 192), (32, 48)),
    ((90, 120), (48, 64)),
    ((64, 97), (64, 32)),
    ((33, 21), (64, 64)),
    ((50, 70), (49, 69)),
]

Bytes = NDArray[np.uint8]
Size = tuple[int, int]


def pictures(size: Size) -> dict[str, Bytes]:
    """What shows a wrong filter: noise, a street's smooth slopes, a grid of single pixels, a bright border."""
    height, width = size
    rng = np.random.default_rng(1)
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    grid = np.where((rows + columns) % 2 == 0, 255, 0) + np.zeros(3, int)
    slopes = 127 + 120 * np.sin(rows / 9 + columns / 17 + np.arange(3))
    border = np.where((rows % (height - 1) == 0) | (columns % (width - 1) == 0), 255, 0) + np.zeros(3, int)
    noise = rng.integers(0, 256, (height, width, 3))
    return {
        name: values.astype(np.uint8)
        for name, values in {"noise": noise, "slopes": slopes, "grid": grid, "border": border}.items()
    }


def pillow(image: Bytes, size: Size) -> NDArray[np.float64]:
    return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)).astype(float)


def products(image: Bytes, size: Size) -> NDArray[np.float32]:
    return Products(image.shape[:2], size)(torch.from_numpy(image)[None])[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_products_agree_with_pillow_within_a_level(old: Size, new: Size) -> None:
    for name, image in pictures(old).items():
        assert np.abs(products(image, new) - pillow(image, new)).max() <= LEVEL + 1e-3, name


@pytest.mark.parametrize("fault", ["half a pixel", "nearest", "not antialiased"])
@pytest.mark.parametrize("old", [(302, 480), (96, 144)])
def test_products_planted_fault_is_seen(old: Size, fault: str) -> None:
    new = (80, 128)
    worst = max(np.abs(faulty(fault, image, new) - pillow(image, new)).max() for image in pictures(old).values())
    assert worst > 10 * LEVEL


def faulty(fault: str, image: Bytes, new: Size) -> NDArray[np.floating]:
    """The resizing with a fault in it."""
    if fault == "half a pixel":
        rows, columns = (shifted_weights(old, size) for old, size in zip(image.shape, new, strict=False))
        return np.einsum("hH,HWc,wW->hwc", rows, image.astype(float), columns, optimize=True)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    mode = {"mode": "nearest"} if fault == "nearest" else {"mode": "bilinear", "align_corners": False}
    return functional.interpolate(planes, new, **mode)[0].permute(1, 2, 0).numpy()


def shifted_weights(old: int, new: int) -> NDArray[np.float64]:
    """A triangle of the right width, its centre half an old pixel too far."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale + 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centres) / max(scale, 1))
    return weights / weights.sum(1, keepdims=True)


def test_products_of_one_size_change_nothing() -> None:
    image = pictures((20, 30))["noise"]
    assert np.array_equal(products(image, (20, 30)), image)


def test_triangle_weights_by_hand() -> None:
    # 4 to 2: centres at 1 and 3, two pixels reach; the pixels at 0.5 1.5 2.5 (3.5) weigh 3/4 3/4 1/4 (cut)
    expected = [[3 / 7, 3 / 7, 1 / 7, 0], [0, 1 / 7, 3 / 7, 3 / 7]]
    np.testing.assert_allclose(triangle_weights(4, 2).numpy(), expected, atol=1e-15)


@pytest.mark.parametrize(("old", "new"), [(1208, 320), (1920, 512), (480, 256), (17, 400), (3, 2)])
def test_triangle_weights_of_a_row_add_up_to_one(old: int, new: int) -> None:
    np.testing.assert_allclose(triangle_weights(old, new).sum(1).numpy(), 1.0, atol=1e-14)


def graph(old: Size, new: Size, resize: str) -> onnx.ModelProto:
    camera = plan_camera(
        network_height_px=new[0], network_width_px=new[1], height_px=old[0], width_px=old[1], layout="rgb",
        resize=resize, stretch=True,
    )  # fmt: skip
    settings = ExportSettings(camera=camera)
    return trace(Deploy(nn.Conv2d(3, 2, 1), settings, *new, mean=IMAGENET_MEAN, std=IMAGENET_STD))


@pytest.mark.parametrize("resize", ["products", "resize-node"])
def test_graph_resizes_as_pillow_within_a_level(resize: str, run: Callable) -> None:
    old, new = (121, 192), (48, 64)
    model = with_stages(graph(old, new, resize), ["resized"])
    for name, image in pictures(old).items():
        (resized,) = run(model, image[None], "resized")
        assert np.abs(resized[0].transpose(1, 2, 0) - pillow(image, new)).max() <= LEVEL + 1e-3, name


def test_graph_resize_node_without_exclude_outside_is_seen_at_the_border(run: Callable) -> None:
    old, new = (121, 192), (48, 64)
    model = graph(old, new, "resize-node")
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "exclude_outside":
                attribute.i = 0
    differences = []
    for image in pictures(old).values():
        (resized,) = run(with_stages(model, ["resized"]), image[None], "resized")
        differences.append(np.abs(resized[0].transpose(1, 2, 0) - pillow(image, new)).max())
    assert max(differences) > 5 * LEVEL


def test_graph_of_products_has_no_resize() -> None:
    kinds = {node.op_type for node in graph((121, 192), (48, 64), "products").graph.node}
    assert "Resize" not in kinds
    assert {"Slice", "MatMul", "Concat"} <= kinds
