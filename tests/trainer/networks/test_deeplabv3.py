import pytest
import torch
from torchvision.models import segmentation

from runtime.errors import UsageError
from trainer.networks.deeplabv3 import DeepLabV3, DeepLabV3Config


@pytest.mark.parametrize("encoder", ["mobilenet_v3_large", "resnet50"])
def test_deeplabv3_gives_the_logits_of_torchvisions(encoder: str) -> None:
    torch.manual_seed(0)
    make = getattr(segmentation, f"deeplabv3_{encoder}")
    original = make(weights=None, weights_backbone=None, num_classes=4, aux_loss=False)
    with torch.no_grad():
        original(torch.randn(2, 3, 64, 64))
        state = {key.replace("backbone.", "encoder."): value for key, value in original.state_dict().items()}
        network = DeepLabV3(DeepLabV3Config(encoder=encoder), 4)
        network.load_state_dict(state)
        image = torch.randn(1, 3, 48, 80)
        expected = original.eval()(image)["out"]
        torch.testing.assert_close(network.eval()(image), expected, atol=1e-5, rtol=1e-4)
    assert expected.abs().max() > 0.01


def test_deeplabv3_trains_with_a_single_image_where_torchvisions_does_not() -> None:
    image = torch.randn(1, 3, 32, 32)
    original = segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        original(image)
    DeepLabV3(DeepLabV3Config(), 2)(image).sum().backward()


@pytest.mark.parametrize(("encoder", "count"), [("mobilenet_v3_large", 11.0), ("resnet50", 39.6)])
def test_deeplabv3_has_the_parameters_that_its_settings_name(encoder: str, count: float) -> None:
    # torchvision's published counts, 11029328 and 42004074, are with 21 classes, the second with the auxiliary head
    network = DeepLabV3(DeepLabV3Config(encoder=encoder), 7)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(count, abs=0.05)


def test_deeplabv3_config_other_encoder_refused() -> None:
    with pytest.raises(UsageError, match="mobilenet_v3_large or resnet50, got 'resnet18'"):
        DeepLabV3Config(encoder="resnet18")
