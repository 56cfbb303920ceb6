import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise, labels_from_logits


def test_normalise_equals_torchvision() -> None:
    image = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    theirs = v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)(v2.ToDtype(torch.float32, scale=True)(image.movedim(-1, 1)))
    torch.testing.assert_close(Normalise()(image), theirs, atol=1e-5, rtol=1e-5)


def test_normalise_half_stays_within_half_precision() -> None:
    image = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    difference = (Normalise().half()(image).float() - Normalise()(image)).abs().max()
    assert difference < 4e-3  # two spacings of half between 2 and 4; a grey level is 0.017


def test_normalise_result_is_channels_last() -> None:
    result = Normalise()(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_labels_from_logits_finite_equals_numpy_argmax() -> None:
    logits = torch.randn(2, 7, 9, 11)
    assert np.array_equal(labels_from_logits(logits).numpy(), logits.numpy().argmax(1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 7e4, -7e4])
def test_labels_from_logits_not_finite_in_one_channel_is_255_there_only(value: float) -> None:
    logits = torch.randn(1, 3, 4, 4)
    logits[0, 2, 1, 3] = value
    labels = labels_from_logits(logits)
    assert labels.dtype == torch.uint8
    assert labels[0, 1, 3] == 255
    assert (labels == 255).sum() == 1


def test_labels_from_logits_half_inf_is_255() -> None:
    logits = torch.zeros(1, 2, 1, 2, dtype=torch.float16)
    logits[0, 0, 0, 0] = float("inf")
    assert labels_from_logits(logits).tolist() == [[[255, 0]]]
