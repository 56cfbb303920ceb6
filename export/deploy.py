"""The network as it is deployed: camera bytes in, label bytes out. Torch only, no files."""

import copy

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
    """Folds each batch norm that follows a convolution directly in a Sequential into that convolution, in place.

    Args:
        network: in evaluation mode.

    Returns:
        The same network, which computes the same function with fewer operations.
    """
    for module in list(network.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for position in range(len(module) - 1):
            first, second = module[position], module[position + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[position] = fuse_conv_bn_eval(first, second)
                module[position + 1] = nn.Identity()
    return network


def trace_input(height_px: int, width_px: int) -> Tensor:
    """A frame to trace the module with: uint8 RGB [1,H,W,3], mid-grey."""
    return torch.full((1, height_px, width_px, 3), 128, dtype=torch.uint8)
