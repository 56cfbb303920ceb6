"""The network as it is deployed: camera bytes in, label bytes out. Torch only, no files."""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainer.networks.ends import Normalise, labels_from_logits


class Deploy(nn.Module):
    """Normalisation, network, argmax and the check for finite logits as one module.

    Args:
        network: normalised float [N,3,H,W] -> logits [N,C,H,W]; copied, its batch norms folded into the convolutions.
        half: compute in float16 between the ends; the types at the door stay uint8.
        mean: per RGB channel, of image / 255.
        std: per RGB channel, of image / 255.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        half: bool,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.network = fold_batch_norms(copy.deepcopy(network).eval())
        if half:
            self.half()  # after folding, which is done in float32
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Uint8 RGB [N,H,W,3] -> uint8 labels [N,H,W], 255 where the network gave no finite answer."""
        return labels_from_logits(self.network(self.normalise(image)))


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


def trace_input(height_px: int, width_px: int) -> Tensor:
    """A frame to trace the module with: uint8 RGB [1,H,W,3], mid-grey."""
    return torch.full((1, height_px, width_px, 3), 128, dtype=torch.uint8)
