"""Camera bytes to the network's input, as a torch module that is traced: colour, crop, resize, normalise.

All of it in float32. Nothing is rounded to whole grey levels on the way, while Pillow does so after each direction.
"""

import torch
from torch import Tensor, nn

from export.graph.colour import YuvToRgb, part
from export.graph.resize import Products, ResizeNode
from runtime.camera import YUV_LAYOUTS, CameraSpec
from runtime.errors import UsageError
from trainer.networks.ends import Normalise


class Front(nn.Module):
    """Frame to the network's input, with the values on the way that are worth reading out.

    Those of a stage are float32: "colour" RGB [N,H',W',3] 0..255, what the camera shows after the crop, only for YUV;
    "resized" RGB [N,3,h,w] 0..255, only where a camera's picture is resized; "normalised" [N,3,h,w].

    Blue and red of a BGR camera change places behind the resizing, as whole planes: pixel by pixel at the camera's size
    that would cost more than the resizing itself (1920x1208 on one core: 17 to 54 ms).

    Args:
        camera: how frames are delivered; None for uint8 RGB [N,h,w,3] of the network's size.
        height_px: h, of the network's input.
        width_px: w, of the network's input.
        mean: per RGB channel, of image / 255.
        std: per RGB channel, of image / 255, over 0.

    Raises:
        UsageError: the camera is said not to be resized, but has another size than the network.
    """

    planes: Tensor

    def __init__(
        self,
        camera: CameraSpec | None,
        height_px: int,
        width_px: int,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        size = (height_px, width_px)
        self.crop = camera.crop if camera is not None and camera.layout not in YUV_LAYOUTS else None
        self.colour = YuvToRgb(camera) if camera is not None and camera.layout in YUV_LAYOUTS else None
        self.is_bgr = camera is not None and camera.layout == "bgr"
        self.resize = _resize(camera, size)
        self.normalise = Normalise(mean, std) if not self.is_bgr else Normalise(mean[::-1], std[::-1])
        self.register_buffer("planes", torch.tensor([2, 1, 0]), persistent=False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Uint8 frames -> the stages by name, "normalised" last."""
        stages: dict[str, Tensor] = {}
        if self.colour is not None:
            image = stages["colour"] = self.colour(image)
        if self.crop is not None:
            x, y, width, height = self.crop
            image = part(part(image, 1, y, y + height), 2, x, x + width)
        if self.resize is None:
            normalised = self.normalise(image)
            stages["normalised"] = normalised.index_select(1, self.planes) if self.is_bgr else normalised
            return stages
        resized = self.resize(image)
        stages["resized"] = resized.index_select(1, self.planes) if self.is_bgr else resized
        mean, scale = (
            (values.flip(0) if self.is_bgr else values)[:, None, None]
            for values in (self.normalise.mean, self.normalise.scale)
        )
        stages["normalised"] = (stages["resized"] - mean) * scale
        return stages


def _resize(camera: CameraSpec | None, size: tuple[int, int]) -> nn.Module | None:
    if camera is None:
        return None
    if camera.resize == "none" and camera.seen_shape != size:
        raise UsageError(
            f"camera: expected a resize for {camera.seen_shape[1]}x{camera.seen_shape[0]} to the network's "
            f"{size[1]}x{size[0]}, got resize 'none'; let plan_camera choose it"
        )
    if camera.seen_shape == size:
        return None
    return ResizeNode(size) if camera.resize == "resize-node" else Products(camera.seen_shape, size)
