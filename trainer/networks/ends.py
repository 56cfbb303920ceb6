"""What stands before and behind every network, in training, evaluation and export alike.

Written once, because a second copy of the normalisation or of the argmax is where accuracy goes missing unnoticed.
"""

import torch
from torch import Tensor, nn

from runtime.spec import IGNORE_ID

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB image / 255; the constants of torchvision's pretrained networks
IMAGENET_STD = (0.229, 0.224, 0.225)
LARGEST_HALF = 65504.0  # largest finite float16; a logit beyond it, or NaN, is no answer


class Normalise(nn.Module):
    """Camera bytes to the network's input: uint8 RGB [N,H,W,3] -> float [N,3,H,W], (image / 255 - mean) / std.

    The result has the dtype of the buffers (float32; float16 after `.half()`) and, being a permuted view of contiguous
    NHWC memory, the channels-last layout that convolutions prefer.

    Args:
        mean: per RGB channel, of image / 255.
        std: per RGB channel, of image / 255, > 0.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        # subtracting first keeps every intermediate small: |image - mean| <= 255 is safe and accurate in half precision
        self.register_buffer("mean", torch.tensor(mean) * 255.0, persistent=False)
        self.register_buffer("scale", 1.0 / (torch.tensor(std) * 255.0), persistent=False)

    def forward(self, image_nhwc: Tensor) -> Tensor:
        """Normalises a batch; see the class for shapes and dtypes."""
        batch, height, width, channels = image_nhwc.shape
        # by rows: broadcasting over an innermost dimension of 3 keeps ONNX Runtime from using whole vectors, and costs
        # a real-time network a tenth of its time
        rows = image_nhwc.to(self.mean.dtype).reshape(batch, height, width * channels)
        normalised: Tensor = (rows - self.mean.repeat(width)) * self.scale.repeat(width)
        return normalised.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def labels_from_logits(logits_nchw: Tensor) -> Tensor:
    """The winning class of every pixel, or 255 where any logit of that pixel is not finite.

    Argmax alone turns all-NaN logits into class 0, which is *road*. `abs(z) <= 65504` is False for NaN and for Inf and
    stands for IsInf, which takes no float16 at ONNX opset 18.

    Args:
        logits_nchw: float [N,C,H,W], C <= 255.

    Returns:
        uint8 [N,H,W], class ids 0..C-1 or 255.
    """
    # in float32: comparing halves would be exported with a pair of casts around each operation
    magnitude = logits_nchw.float().abs()  # [N,C,H,W]
    finite = (magnitude <= LARGEST_HALF).float().amin(dim=1).bool()  # [N,H,W]
    labels = logits_nchw.argmax(dim=1).to(torch.uint8)
    return torch.where(finite, labels, IGNORE_ID)
