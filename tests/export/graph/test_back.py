import math

import numpy as np
import pytest
import torch
from torch import Tensor

from export.graph.back import Back, nearest, winning_softmax

SIZE, LARGER = (6, 8), (15, 20)
NOT_FINITE = [math.nan, math.inf, -math.inf, 65520.0]  # the last is infinity in half precision


def back(new: tuple[int, int] = SIZE, labels_from: str = "logits", temperature: float | None = 1.0) -> Back:
    return Back(SIZE, new, labels_from=labels_from, temperature=temperature)


def logits(classes: int = 4) -> Tensor:
    return 3 * torch.randn(2, classes, *SIZE, generator=torch.Generator().manual_seed(0))


def test_back_without_confidence_gives_labels_only() -> None:
    found = back(temperature=None)(logits())
    assert list(found) == ["labels"]
    assert torch.equal(found["labels"], logits().argmax(1).to(torch.uint8))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_back_confidence_is_the_softmax_of_the_winner_by_hand(temperature: float) -> None:
    values = logits().double().numpy() / temperature
    softmax = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    found = back(temperature=temperature)(logits())["confidence"]
    assert found.dtype == torch.uint8
    # a float32 just beside a half may round the other way
    assert np.abs(found.numpy() - 255 * softmax.max(1)).max() <= 0.5 + 1e-3


def test_winning_softmax_of_large_logits_does_not_overflow() -> None:
    values = torch.tensor([60000.0, -60000.0, 60000.0]).reshape(1, 3, 1, 1)
    assert winning_softmax(values, 1.0).item() == 0.5


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("channel", [0, 2])
@pytest.mark.parametrize("labels_from", ["logits", "labels"])
def test_back_pixel_with_a_logit_that_is_not_finite_has_no_answer(labels_from: str, channel: int, value: float) -> None:
    values = logits()
    values[1, channel, 2, 3] = value
    found, clean = back(labels_from=labels_from)(values), back(labels_from=labels_from)(logits())
    hit = torch.zeros(2, *SIZE, dtype=torch.bool)
    hit[1, 2, 3] = True
    assert torch.equal(found["labels"], torch.where(hit, 255, clean["labels"]))
    assert torch.equal(found["confidence"], torch.where(hit, 0, clean["confidence"]))


@pytest.mark.parametrize("value", NOT_FINITE)
def test_back_enlarged_logits_not_finite_reach_exactly_the_pixels_made_of_them(value: float) -> None:
    values = logits()
    values[0, 1, 2, 3] = value
    found, clean = back(LARGER)(values), back(LARGER)(logits())
    # 2.5 times: old pixel 2 of 6 has its centre at 2.5, and weight where (i + 0.5) / 2.5 lies within 1.5 to 3.5
    touched = [np.abs((np.arange(size) + 0.5) / 2.5 - centre) < 1 for size, centre in ((15, 2.5), (20, 3.5))]
    hit = torch.zeros(2, *LARGER, dtype=torch.bool)
    hit[0] = torch.from_numpy(np.outer(*touched))
    assert 0 < int(hit.sum()) < 40
    assert torch.equal(found["labels"], torch.where(hit, 255, clean["labels"]))
    assert torch.equal(found["confidence"], torch.where(hit, 0, clean["confidence"]))


@pytest.mark.parametrize("new", [SIZE, LARGER])
@pytest.mark.parametrize("labels_from", ["logits", "labels"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_back_all_logits_not_finite_give_no_class_anywhere(
    new: tuple[int, int], labels_from: str, value: float
) -> None:
    found = back(new, labels_from)(torch.full((1, 4, *SIZE), value))
    assert (found["labels"] == 255).all()
    assert (found["confidence"] == 0).all()


def test_back_enlarged_logits_agree_with_bilinear_by_hand() -> None:
    cv2 = pytest.importorskip("cv2")
    values = logits()
    found = back(LARGER)(values)["labels"].numpy()
    for frame, labels in zip(values.numpy(), found, strict=True):
        planes = np.stack([cv2.resize(plane, LARGER[::-1], interpolation=cv2.INTER_LINEAR) for plane in frame])
        top = np.sort(planes, axis=0)[-2:]
        clear = top[1] - top[0] > 1e-3
        assert clear.mean() > 0.9
        assert np.array_equal(labels[clear], planes.argmax(0)[clear])


def test_back_enlarged_labels_are_those_under_each_centre() -> None:
    found, small = back(LARGER, "labels")(logits()), back()(logits())
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int) for old, new in zip(SIZE, LARGER, strict=True)
    )
    for name in ("labels", "confidence"):
        assert np.array_equal(found[name].numpy(), small[name].numpy()[:, rows][:, :, columns])


def test_nearest_of_whole_multiples_repeats() -> None:
    assert nearest(3, 9).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert nearest(9, 3).tolist() == [1, 4, 7]
