"""The network as it is deployed: camera bytes in, label bytes out, as one torch module in float32. No files."""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.graph.back import Back
from export.graph.front import Front
from export.settings import ExportSettings

LOGITS = "logits"


class Deploy(nn.Module):
    """Front end, network with its batch norms folded, back end.

    Always in float32: other precisions are made of the traced graph. The network is what lies between the values
    "normalised" and "logits".

    Args:
        network: normalised float [N,3,h,w] -> logits [N,C,h,w]; copied, its batch norms folded into the convolutions.
        settings: camera, size of the labels, confidence and batch; its precision plays no part here.
        height_px: h, of the network's input.
        width_px: w, of the network's input.
        temperature: divides the logits before the softmax of the confidence; over 0.
        mean: per RGB channel, of image / 255.
        std: per RGB channel, of image / 255, over 0.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: ExportSettings,
        height_px: int,
        width_px: int,
        *,
        temperature: float = 1.0,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        camera = settings.camera
        self.front = Front(camera, height_px, width_px, mean=mean, std=std)
        self.network = fold_batch_norms(copy.deepcopy(network).float().eval())
        size = (height_px, width_px)
        self.back = Back(
            size,
            camera.seen_shape if camera is not None and settings.labels_at == "camera" else size,
            labels_from=settings.labels_from,
            temperature=temperature if settings.confidence else None,
        )
        frame_shape = camera.frame_shape if camera is not None else (height_px, width_px, 3)
        self.input_shape = (settings.batch, *frame_shape)
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Everything worth reading out, by name and in order: stages of the front, "logits", "labels", "confidence".

        Args:
            image: uint8 of `input_shape`.

        Returns:
            Stages in float32; "labels" and, where asked for, "confidence" uint8 [N,H,W].
        """
        found: dict[str, Tensor] = self.front(image)
        found[LOGITS] = self.network(found["normalised"])
        found.update(self.back(found[LOGITS]))
        return found

    def trace_input(self) -> Tensor:
        """A frame to trace the module with: uint8 of `input_shape`, mid-grey."""
        return torch.full(self.input_shape, 128, dtype=torch.uint8)


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Folds each batch norm that follows a convolution directly into that convolution, in place.

    They are known by their places: neighbours in a Sequential, or, as torchvision's residual networks have them, two
    modules of one parent called conv<x> and bn<x>. Parity would tell if a network used them otherwise.

    Args:
        network: in evaluation mode.

    Returns:
        The same network, which computes the same function with fewer operations.
    """
    for module in list(network.modules()):
        for first, second in _pairs(module):
            convolution, norm = getattr(module, first), getattr(module, second)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(convolution, norm))
                setattr(module, second, nn.Identity())
    return network


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of children where a convolution and its batch norm may stand."""
    names = [name for name, _ in module.named_children()]
    if isinstance(module, nn.Sequential):
        return list(pairwise(names))
    return [(name, f"bn{name[4:]}") for name in names if name.startswith("conv") and f"bn{name[4:]}" in names]
