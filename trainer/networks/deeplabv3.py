"""torchvision's DeepLabV3 (Chen et al. 2017), for its COCO weights, behind the interface of the other networks."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import segmentation

from runtime.errors import UsageError
from trainer.networks.edge_layers import use_edge_layers

DeepLabV3Encoder = Literal["mobilenet_v3_large", "resnet50"]


@dataclass(frozen=True, kw_only=True)
class DeepLabV3Config:
    """Shape of a DeepLabV3; torchvision leaves only the choice of the encoder.

    Attributes:
        encoder: "mobilenet_v3_large" (11.0 M parameters in all) or "resnet50" (39.6 M).
    """

    encoder: DeepLabV3Encoder = "mobilenet_v3_large"

    def __post_init__(self) -> None:
        if self.encoder not in get_args(DeepLabV3Encoder):
            raise UsageError(
                f"--network deeplabv3 needs --encoder {' or '.join(get_args(DeepLabV3Encoder))}, got {self.encoder!r}; "
                "--network deeplabv3plus takes the others"
            )

    @property
    def stride_px(self) -> int:
        """Height and width must be multiples of this, which is also the stride of the last features."""
        return 8 if self.encoder == "resnet50" else 16


class DeepLabV3(nn.Module):
    """Dilated encoder, pyramid pooling, logits enlarged to the input's size.

    `encoder` is torchvision's `backbone`; `classifier` keeps its name. The auxiliary head is left out.

    Args:
        config: which encoder.
        class_count: channels of the logits, 1..255.
    """

    def __init__(self, config: DeepLabV3Config, class_count: int) -> None:
        super().__init__()
        makers = {
            "mobilenet_v3_large": segmentation.deeplabv3_mobilenet_v3_large,
            "resnet50": segmentation.deeplabv3_resnet50,
        }
        network = makers[config.encoder](weights=None, weights_backbone=None, num_classes=class_count, aux_loss=False)
        self.encoder: nn.Module = network.backbone
        self.classifier: nn.Module = network.classifier
        _mend_pooled_norms(self.classifier)
        use_edge_layers(self)
        self.stride_px = config.stride_px

    def forward(self, image_nchw: Tensor) -> Tensor:
        """Normalised float [N,3,H,W], H and W multiples of the stride -> logits [N,C,H,W] of the same dtype."""
        logits: Tensor = self.classifier(self.encoder(image_nchw)["out"])
        return functional.interpolate(logits, scale_factor=float(self.stride_px), mode="bilinear", align_corners=False)


class PooledNorm(nn.BatchNorm2d):
    """A batch norm of one value per image: with a single image in the batch it uses what it has seen before.

    nn.BatchNorm2d refuses such a batch in training, and an epoch may well end with one.
    """

    def forward(self, features: Tensor) -> Tensor:
        """[N,C,1,1] -> [N,C,1,1]."""
        if self.training and features.shape[0] == 1:
            return functional.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(features)


def _mend_pooled_norms(classifier: nn.Module) -> None:
    """Puts `PooledNorm` behind the pooling over the whole image; the parameters keep their names."""
    for module in list(classifier.modules()):
        if not isinstance(module, nn.Sequential) or not isinstance(module[0], nn.AdaptiveAvgPool2d):
            continue
        for index, child in enumerate(module):
            if isinstance(child, nn.BatchNorm2d):
                module[index] = PooledNorm(child.num_features, eps=child.eps)
