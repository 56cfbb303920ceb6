import pytest
import torch
from torch import Tensor, nn

from runtime.errors import UsageError
from trainer.networks.ends import labels_from_logits
from trainer.views import AveragedViews, Views


class Pointwise(nn.Module):
    """Logits of each pixel out of its own colours: a mirrored frame gives the mirrored answer."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, int]] = []

    def forward(self, image: Tensor) -> Tensor:
        self.sizes.append(tuple(image.shape[-2:]))
        return 3.0 * image


class Sided(nn.Module):
    """Says class 0 left and class 1 right, whatever it sees."""

    def forward(self, image: Tensor) -> Tensor:
        right = torch.linspace(-1.0, 1.0, image.shape[-1]).expand(image.shape[0], *image.shape[-2:])
        return torch.stack([-right, right], dim=1)


def test_averaged_views_one_view_is_the_softmax() -> None:
    image = torch.randn(2, 3, 8, 8)
    averaged = AveragedViews(Pointwise(), Views(), 4)(image)
    torch.testing.assert_close(averaged, (3.0 * image).softmax(dim=1))


def test_averaged_views_mirrored_view_is_mirrored_back() -> None:
    image = torch.randn(2, 3, 8, 8)
    averaged = AveragedViews(Pointwise(), Views(flip=True), 4)(image)
    torch.testing.assert_close(averaged, (3.0 * image).softmax(dim=1))


def test_averaged_views_flip_cancels_a_preference_for_a_side() -> None:
    averaged = AveragedViews(Sided(), Views(flip=True), 4)(torch.zeros(1, 3, 8, 8))
    torch.testing.assert_close(averaged, torch.full((1, 2, 8, 8), 0.5))


def test_averaged_views_scales_run_at_multiples_of_the_stride() -> None:
    network = Pointwise()
    averaged = AveragedViews(network, Views(flip=True, scales=(0.5, 1.0, 1.3)), 16)(torch.randn(1, 3, 64, 96))
    assert network.sizes == [(32, 48)] * 2 + [(64, 96)] * 2 + [(80, 128)] * 2
    assert averaged.shape == (1, 3, 64, 96)
    torch.testing.assert_close(averaged.sum(dim=1), torch.ones(1, 64, 96))


def test_averaged_views_smallest_side_is_two_strides() -> None:
    network = Pointwise()
    AveragedViews(network, Views(scales=(0.25,)), 16)(torch.randn(1, 3, 64, 64))
    assert network.sizes == [(32, 32)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_averaged_views_logit_that_is_not_finite_is_no_answer(bad: float) -> None:
    image = torch.zeros(1, 3, 8, 8)
    image[0, 1, 2, 3] = bad
    labels = labels_from_logits(AveragedViews(Pointwise(), Views(), 4)(image))
    assert labels[0, 2, 3] == 255
    assert int((labels == 255).sum()) == 1


def test_views_count_is_how_often_the_network_runs() -> None:
    assert Views(flip=True, scales=(0.75, 1.0, 1.25)).count == 6


@pytest.mark.parametrize(
    ("scales", "message"),
    [((0.1,), "from 0.25 to 4, got 0.1"), ((), r"at least one, got \[\]"), ((1.0, 1.0), r"got \[1.0, 1.0\]")],
)
def test_views_impossible_scales_are_refused(scales: tuple[float, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Views(scales=scales)
